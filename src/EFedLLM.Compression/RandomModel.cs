using System.Collections.Immutable;
using System.Runtime.InteropServices;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression;

/// <summary>
/// Writes factored models whose weights are random: for measuring speed at any shape without a checkpoint. Weights are
/// uniform in -127 to 127, or of b bits below 8 in ±(2^(b - 1) - 1), scaled to a standard deviation of 1/√inputs (1 in the embedding) so that activations keep
/// their size from layer to layer; norm gains are one and biases zero. There is no tokenizer: steps take token ids.
/// </summary>
public static class RandomModel
{
    private const int Group = 32;

    /// <summary>Writes a model, unit by unit, no more than a block of rows in memory.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="folder">New, empty, or already holding the same model.</param>
    /// <param name="seed">The same seed and shape give the same bytes.</param>
    /// <param name="bits">Bits of a weight, 4, 5, 6 or 8, in all matrices but the embedding, which has 8.</param>
    /// <param name="name">The manifest's name, or null for one made of the seed.</param>
    /// <param name="progress">Is told after every file, or null.</param>
    /// <param name="cancellation">Ends the work, leaving nothing behind.</param>
    /// <exception cref="ArgumentException">There are no weights of that many bits.</exception>
    /// <exception cref="IOException">The folder holds something else, or cannot be written.</exception>
    /// <exception cref="InvalidDataException">The shape is out of bounds; the message names the value.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static CompressionResult Write(
        ModelShape shape,
        string folder,
        ulong seed,
        int bits = 8,
        string? name = null,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (bits is not (4 or 5 or 6 or 8))
        {
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "A weight has 4, 5, 6 or 8 bits.");
        }

        var manifest = Compressor.Outline(shape, name ?? $"random-{seed}", $"int{bits}", Forms(shape, bits));
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

    private static ImmutableArray<MatrixForm> Forms(ModelShape shape, int bits) =>
    [
        .. from unit in Enumerable.Range(0, shape.Units)
           from site in ManifestLayout.Sites(shape, unit)
           select ManifestLayout.Form(unit, site, new GroupForm(unit == 0 ? 8 : bits, Group), 0, null),
    ];

    private static void AddMatrix(UnitFile content, MatrixForm form, SplitMix random, CancellationToken cancellation)
    {
        var (bits, most) = (form.Base!.Bits, (1 << (form.Base.Bits - 1)) - 1);
        var isTable = form.Unit == 0;
        var part = isTable ? form.Name : form.Name + ".base";
        var width = ManifestLayout.RoundUp(form.Inputs, Group);
        var lanes = isTable ? 1 : BlockLayout.Rows;
        var scale = BFloat16.FromSingle((float)(1 / (Deviation(most) * (isTable ? 1 : Math.Sqrt(form.Inputs)))));
        content.Add(part + ".weight", writer =>
        {
            var packed = new sbyte[bits == 8 ? 0 : BlockLayout.WeightBytes(lanes, form.Inputs, Group, bits)];
            var block = new sbyte[lanes * (bits == 8 ? width : form.Inputs)];
            for (var row = 0; row < form.Outputs; row += lanes)
            {
                cancellation.ThrowIfCancellationRequested();
                if (bits < 8)
                {
                    var rows = Math.Min(lanes, form.Outputs - row);
                    random.Fill(block, most);
                    BlockLayout.Pack(block.AsSpan(0, rows * form.Inputs), rows, form.Inputs, Group, bits, packed);
                    writer.Write(MemoryMarshal.AsBytes(packed.AsSpan()));
                    continue;
                }

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

    /// <summary>The standard deviation of whole numbers uniform in -most to most.</summary>
    private static double Deviation(int most) => Math.Sqrt(((2.0 * most + 1) * (2.0 * most + 1) - 1) / 12);

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
