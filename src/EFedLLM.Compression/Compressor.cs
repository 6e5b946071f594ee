using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using EFedLLM.Compression.Allocation;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>Makes a factored model of a checkpoint.</summary>
public static class Compressor
{
    private const int ActivationBits = 16;
    private const string KeyValueCache = "float16";

    /// <summary>
    /// Writes the factored model of a checkpoint to a folder. One unit at a time is held in memory. The work is done in
    /// a hidden folder beside the target, which takes its place in one step: a cancelled or crashed run leaves nothing
    /// there, and the next run removes what a crash left beside it. The same checkpoint and settings give the same bytes,
    /// whatever the number of threads; with <see cref="CompressionProfile.Svd"/> provided that the linear algebra is the same.
    /// </summary>
    /// <param name="source">The checkpoint.</param>
    /// <param name="folder">New, empty, or already holding the same result, which is then left as it is.</param>
    /// <param name="settings">What to make.</param>
    /// <param name="progress">Is told after every matrix and every file, or null. Called from several threads, one at a time.</param>
    /// <param name="cancellation">Ends the work, leaving nothing behind.</param>
    /// <exception cref="ArgumentException">A setting is out of its bounds.</exception>
    /// <exception cref="IOException">The folder holds something else, or cannot be written.</exception>
    /// <exception cref="InvalidDataException">A tensor has a value that is not finite; the message names it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static CompressionResult Run(
        Checkpoint source,
        string folder,
        CompressionSettings settings,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(settings);
        settings.Check();
        if (settings.Profile == CompressionProfile.Calibrated)
        {
            return source.Shape.Encoder is null
                ? CalibratedCompressor.Run(source, folder, settings, progress, cancellation)
                : EncoderCompressor.Run(source, folder, settings, progress, cancellation);
        }

        var shape = source.Shape;
        var manifest = Outline(shape, settings.Name ?? NameOf(source.Folder), settings.ProfileName, CompressionPlan.Forms(shape, settings));
        var target = TargetFolder.Normalize(folder);
        TargetFolder.Check(target, manifest);
        using var partial = PartialFolder.Create(target);
        var meter = new ProgressMeter(manifest, progress);
        var files = ImmutableArray.CreateBuilder<WeightFile>();
        for (var unit = 0; unit < shape.Units; unit++)
        {
            cancellation.ThrowIfCancellationRequested();
            var content = CompressUnit(source, manifest, unit, settings.Threads, meter, cancellation);
            files.Add(content.Write(partial.Path, unit, ManifestLayout.FileName(unit, shape.Layers), manifest.Tensors(unit)));
            meter.UnitDone(unit);
        }

        cancellation.ThrowIfCancellationRequested();
        var companions = Companions.Copy(source.Folder, partial.Path);
        return TargetFolder.Commit(target, partial, Finish(manifest, files.ToImmutable(), companions));
    }

    /// <summary>What <see cref="Run"/> would do under <see cref="CompressionProfile.Calibrated"/>: measures everything that a plan needs and writes nothing.</summary>
    /// <param name="source">The checkpoint.</param>
    /// <param name="settings">What to make. A largest loss is no target here: only making the model would measure it.</param>
    /// <param name="progress">Is told after every unit, or null.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <exception cref="ArgumentException">A setting is out of its bounds, or asks for what a plan cannot tell.</exception>
    /// <exception cref="InvalidDataException">A tensor has a value that is not finite, the calibration text is too short, or the target cannot be met; the message says what to do.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static BitPlan Plan(
        Checkpoint source, CompressionSettings settings, IProgress<CompressionProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(settings);
        settings.Check();
        return settings.Profile == CompressionProfile.Calibrated && settings.MaxLoss is null
            ? source.Shape.Encoder is null ? CalibratedCompressor.Plan(source, settings, progress, cancellation) : EncoderCompressor.Plan(source, settings, cancellation)
            : throw new ArgumentException("A plan is made for the calibrated profile, with bits or a size as its target.", nameof(settings));
    }

    /// <summary>A manifest as it is known before any weight is written: without bytes and hashes.</summary>
    internal static ModelManifest Outline(ModelShape shape, string name, string profile, ImmutableArray<MatrixForm> forms) => new()
    {
        Name = name,
        Shape = shape,
        Arithmetic = new ArithmeticSettings(ActivationBits, KeyValueCache),
        Profile = profile,
        Files = [],
        Companions = [],
        Matrices = forms,
        BitsPerWeight = 0,
    };

    /// <summary>The whole manifest.</summary>
    internal static ModelManifest Finish(ModelManifest outline, ImmutableArray<WeightFile> files, ImmutableArray<CompanionFile> companions) => outline with
    {
        Files = files,
        Companions = companions,
        BitsPerWeight = outline.ReadBitsPerWeight,
    };

    /// <summary>The name for a model from a folder or a GGUF file: its own, fit for a manifest.</summary>
    internal static string NameOf(string folder)
    {
        const int Longest = 128;
        const string FileEnding = ".gguf";
        var own = Path.GetFileName(TargetFolder.Normalize(folder));
        own = own.EndsWith(FileEnding, StringComparison.OrdinalIgnoreCase) ? own[..^FileEnding.Length] : own;
        var name = string.Concat(own.Where(character => !char.IsControl(character)));
        return name.Length == 0 ? "model" : name[..Math.Min(name.Length, Longest)];
    }

    private static UnitFile CompressUnit(Checkpoint source, ModelManifest manifest, int unit, int threads, ProgressMeter meter, CancellationToken cancellation)
    {
        var forms = manifest.MatricesOf(unit);
        var sites = ManifestLayout.Sites(source.Shape, unit);
        var parts = new MatrixCompressor.Parts[forms.Length];
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
        try
        {
            // Threads go to the matrices of a layer; where there is but one matrix, to its rows.
            Parallel.For(0, forms.Length, options, index =>
            {
                var weights = source.Read(CheckpointTensors.Of(source.Shape, unit, sites[index].Name + ".weight"), sites[index].Outputs, sites[index].Inputs);
                parts[index] = MatrixCompressor.Compress(weights, forms[index], forms.Length == 1 ? threads : 1, cancellation);
                meter.MatrixDone(forms[index]);
            });
        }
        catch (AggregateException error) when (error.InnerExceptions.Count > 0)
        {
            ExceptionDispatchInfo.Throw(error.Flatten().InnerExceptions[0]);
        }

        return UnitFile.Of(source, manifest, unit, parts);
    }
}
