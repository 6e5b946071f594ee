using System.Collections.Immutable;
using System.Runtime.InteropServices;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression;

/// <summary>
/// Writes factored models whose weights are random: for measuring speed at any shape without a checkpoint. Weights are
/// uniform in -127 to 127, scaled to a standard deviation of 1/√inputs (1 in the embedding) so that activations keep
/// their size from layer to layer; norm gains are one and biases zero. There is no tokenizer: steps take token ids.
/// </summary>
public static class RandomModel
{
    private const int Group = 32;

    /// <summary>The standard deviation of whole numbers uniform in -127 to 127.</summary>
    private static readonly double IntegerDeviation = Math.Sqrt((255.0 * 255.0 - 1) / 12);

    /// <summary>Writes a model, unit by unit, no more than a block of rows in memory.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="folder">New, empty, or already holding the same model.</param>
    /// <param name="seed">The same seed and shape give the same bytes.</param>
    /// <param name="name">The manifest's name, or null for one made of the seed.</param>
    /// <param name="progress">Is told after every file, or null.</param>
    /// <param name="cancellation">Ends the work, leaving nothing behind.</param>
    /// <exception cref="IOException">The folder holds something else, or cannot be written.</exception>
    /// <exception cref="InvalidDataException">The shape is out of bounds; the message names the value.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static CompressionResult Write(
        ModelShape shape,
        string folder,
        ulong seed,
        string? name = null,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var settings = new CompressionSettings { Group = Group };
        var manifest = Compressor.Outline(shape, name ?? $"random-{seed}", settings.ProfileName, CompressionPlan.Forms(shape, settings));
        var target = TargetFolder.Normalize(folder);
        TargetFolder.Check(target, manifest);
        using var partial = PartialFolder.Create(target);
        var meter = new ProgressMeter(manifest, progress);
        var files = ImmutableArray.CreateBuilder<WeightFile>();
        var random = new SplitMix(seed);
        for (var unit = 0; unit < shape.Units; unit++)
        {
            var content = new UnitFile();
            foreach (var form in manifest.MatricesOf(unit))
            {
                AddMatrix(content, form, random, cancellation);
                meter.MatrixDone(form);
            }

            foreach (var tensor in manifest.Tensors(unit).Where(tensor => tensor.Type == "F32"))
            {
                var values = new float[tensor.Elements];
                Array.Fill(values, tensor.Name.EndsWith(".bias", StringComparison.Ordinal) ? 0 : 1);
                content.AddVector(tensor.Name, values);
            }

            files.Add(content.Write(partial.Path, unit, ManifestLayout.FileName(unit, shape.Layers), manifest.Tensors(unit)));
            meter.UnitDone(unit);
        }

        return TargetFolder.Commit(target, partial, Compressor.Finish(manifest, files.ToImmutable(), []));
    }

    private static void AddMatrix(UnitFile content, MatrixForm form, SplitMix random, CancellationToken cancellation)
    {
        var isTable = form.Unit == 0;
        var part = isTable ? form.Name : form.Name + ".base";
        var width = ManifestLayout.RoundUp(form.Inputs, Group);
        var lanes = isTable ? 1 : BlockLayout.Rows;
        var scale = BFloat16.FromSingle((float)(1 / (IntegerDeviation * (isTable ? 1 : Math.Sqrt(form.Inputs)))));
        content.Add(part + ".weight", writer =>
        {
            var block = new sbyte[lanes * width];
            for (var row = 0; row < form.Outputs; row += lanes)
            {
                cancellation.ThrowIfCancellationRequested();
                random.Fill(block);
                Clear(block, form.Inputs, lanes, Math.Min(lanes, form.Outputs - row));
                writer.Write(MemoryMarshal.AsBytes(block.AsSpan()));
            }
        });
        content.Add(part + ".scale", writer =>
        {
            var block = new ushort[lanes * (width / Group)];
            for (var row = 0; row < form.Outputs; row += lanes)
            {
                for (var i = 0; i < block.Length; i++)
                {
                    block[i] = row + i % lanes < form.Outputs ? scale : (ushort)0;
                }

                writer.Write(MemoryMarshal.AsBytes(block.AsSpan()));
            }
        });
    }

    /// <summary>Empties the places of a block that no row or no input fills: pairs of inputs, each for all lanes, follow one another.</summary>
    private static void Clear(Span<sbyte> block, int inputs, int lanes, int rows)
    {
        if (lanes == 1)
        {
            block[inputs..].Clear();
            return;
        }

        var pair = 2 * lanes;
        for (var i = inputs / 2 * pair; i < block.Length; i++)
        {
            if (i / pair * 2 + i % 2 >= inputs)
            {
                block[i] = 0;
            }
        }

        for (var i = 0; rows < lanes && i < block.Length; i++)
        {
            if (i % pair / 2 >= rows)
            {
                block[i] = 0;
            }
        }
    }
}
