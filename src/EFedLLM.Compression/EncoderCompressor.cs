using System.Collections.Immutable;
using EFedLLM.Compression.Allocation;
using EFedLLM.Compression.Calibration;
using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>
/// Makes a factored model of an encoder in 4 to 8 bits. Encoders are not run over a text: every input counts alike, and
/// bits go where they take most off the matrices' relative errors. The manifest names no calibration.
/// </summary>
internal static class EncoderCompressor
{
    /// <summary>Gives out bits; nothing is written.</summary>
    public static BitPlan Plan(Checkpoint source, CompressionSettings settings, CancellationToken cancellation)
    {
        var shape = source.Shape;
        var matrices = ImmutableArray.CreateBuilder<MatrixSurvey>();
        for (var unit = 1; unit < shape.Units; unit++)
        {
            foreach (var site in ManifestLayout.Sites(shape, unit))
            {
                cancellation.ThrowIfCancellationRequested();
                matrices.Add(Survey(source, unit, site, settings.Threads, cancellation));
            }
        }

        if (settings.MaxLoss is not null || settings.TargetSize is not null)
        {
            throw new ArgumentException("An encoder is compressed to a number of bits: name that as the target.", nameof(settings));
        }

        return BitPlan.Of(shape, new ModelSurvey(matrices.ToImmutable(), null, []), settings.TargetBits);
    }

    /// <summary>Makes the model.</summary>
    public static CompressionResult Run(
        Checkpoint source, string folder, CompressionSettings settings, IProgress<CompressionProgress>? progress, CancellationToken cancellation)
    {
        var clock = new StageClock();
        var plan = clock.Run(Stage.Allocation, () => Plan(source, settings, cancellation));
        var manifest = Compressor.Outline(source.Shape, settings.Name ?? Compressor.NameOf(source.Folder), settings.ProfileName, plan.Forms);
        var target = TargetFolder.Normalize(folder);
        TargetFolder.Check(target, manifest);
        using var partial = PartialFolder.Create(target);
        var meter = new ProgressMeter(manifest, progress);
        var files = ImmutableArray.CreateBuilder<WeightFile>();
        for (var unit = 0; unit < source.Shape.Units; unit++)
        {
            cancellation.ThrowIfCancellationRequested();
            var parts = clock.Run(Stage.Rounding, () => ManifestLayout.Sites(source.Shape, unit)
                .Zip(manifest.MatricesOf(unit), (site, form) => Compress(source, unit, site, form, settings.Threads, cancellation)).ToArray());
            files.Add(clock.Run(Stage.Writing, () => UnitFile.Of(source, manifest, unit, parts)
                .Write(partial.Path, unit, ManifestLayout.FileName(unit, source.Shape.Layers), manifest.Tensors(unit))));
            foreach (var form in manifest.MatricesOf(unit))
            {
                meter.MatrixDone(form);
            }

            meter.UnitDone(unit);
        }

        var companions = Companions.Copy(source.Folder, partial.Path);
        var result = TargetFolder.Commit(target, partial, Compressor.Finish(manifest, files.ToImmutable(), companions));
        return result with { Plan = plan, Times = clock.Times };
    }

    private static MatrixSurvey Survey(Checkpoint source, int unit, ManifestSite site, int threads, CancellationToken cancellation)
    {
        var weights = Weights(source, unit, site);
        var size = weights.Sum(weight => (double)weight * weight);
        var feedback = Plain(site.Inputs);
        var errors = MatrixSurvey.Candidates.Select(form =>
        {
            var rounded = GptqRounder.Round(weights, site.Outputs, site.Inputs, form, feedback, threads, null, cancellation);
            return new FormError(form, Residual.Of(weights, rounded).Sum(value => value * value));
        }).ToImmutableArray();

        // An error counts as a share of what the matrix does, so that matrices are alike, whatever their size.
        var reference = errors.First(error => error.Form == MatrixSurvey.ReferenceForm).Error;
        return new MatrixSurvey(unit, site, size > 0 ? reference / size : 0, errors);
    }

    private static MatrixCompressor.Parts Compress(Checkpoint source, int unit, ManifestSite site, MatrixForm form, int threads, CancellationToken cancellation)
    {
        var weights = Weights(source, unit, site);
        return new MatrixCompressor.Parts(
            unit == 0
                ? GroupQuantizer.Quantize(weights, site.Outputs, site.Inputs, form.Base!.Group, threads, cancellation)
                : GptqRounder.Round(weights, site.Outputs, site.Inputs, form.Base!, Plain(site.Inputs), threads, null, cancellation),
            null,
            null);
    }

    private static float[] Weights(Checkpoint source, int unit, ManifestSite site) =>
        source.Read(CheckpointTensors.Of(source.Shape, unit, site.Name + ".weight"), site.Outputs, site.Inputs);

    /// <summary>The feedback of inputs that all count alike, which is none: what is left is the search for scales.</summary>
    private static ErrorFeedback Plain(int inputs)
    {
        var identity = new double[(long)inputs * inputs];
        for (var i = 0L; i < inputs; i++)
        {
            identity[i * inputs + i] = 1;
        }

        return ErrorFeedback.Of(identity, inputs, Feedbacks.Damping);
    }
}
