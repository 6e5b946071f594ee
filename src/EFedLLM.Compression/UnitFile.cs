using System.Collections.Immutable;
using System.Runtime.InteropServices;
using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression;

/// <summary>The tensors of one unit, collected by name and then written in the order that the layout fixes.</summary>
internal sealed class UnitFile
{
    /// <summary>About how many bytes are brought into the order of a served matrix at a time.</summary>
    private const int Piece = 1 << 20;

    private readonly Dictionary<string, Action<SafetensorsWriter>> _tensors = new(StringComparer.Ordinal);

    /// <summary>Adds a tensor with what writes all of its data.</summary>
    public void Add(string name, Action<SafetensorsWriter> write) => _tensors.Add(name, write);

    /// <summary>The file of a unit: its matrices, and norms and biases as the checkpoint has them.</summary>
    /// <param name="source">The checkpoint.</param>
    /// <param name="manifest">Says what the file holds.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="parts">Of each matrix, in the manifest's order.</param>
    public static UnitFile Of(Checkpoint source, ModelManifest manifest, int unit, IReadOnlyList<MatrixCompressor.Parts> parts)
    {
        var file = new UnitFile();
        foreach (var (form, part) in manifest.MatricesOf(unit).Zip(parts))
        {
            file.AddMatrix(form, part);
        }

        foreach (var tensor in manifest.Tensors(unit).Where(tensor => tensor.Type == "F32"))
        {
            file.AddVector(tensor.Name, source.Read(CheckpointTensors.Of(source.Shape, unit, tensor.Name), tensor.Shape.AsSpan()));
        }

        return file;
    }

    /// <summary>Adds a vector of float32 values.</summary>
    public void AddVector(string name, float[] values) => Add(name, writer => writer.Write(MemoryMarshal.AsBytes(values.AsSpan())));

    /// <summary>Adds a table of which single rows are read: as it is, row by row.</summary>
    public void AddTable(string name, QuantizedMatrix table)
    {
        Add(name + ".weight", writer => writer.Write(MemoryMarshal.AsBytes(table.Weights.AsSpan())));
        Add(name + ".scale", writer => writer.Write(MemoryMarshal.AsBytes(table.Scales.AsSpan())));
    }

    /// <summary>Adds a part of a served matrix, in the order of <see cref="BlockLayout"/>.</summary>
    public void AddBlocks(string name, QuantizedMatrix matrix)
    {
        Add(name + ".weight", writer => WriteWeights(writer, matrix));
        Add(name + ".scale", writer =>
        {
            var packed = new ushort[BlockLayout.ScaleCount(matrix.Outputs, matrix.Inputs, matrix.Group)];
            BlockLayout.PackScales(matrix.Scales, matrix.Outputs, matrix.Groups, packed);
            writer.Write(MemoryMarshal.AsBytes(packed.AsSpan()));
        });
    }

    /// <summary>Adds what is stored of a matrix: a V that another one owns is stored there.</summary>
    private void AddMatrix(MatrixForm form, MatrixCompressor.Parts parts)
    {
        if (form.Unit == 0)
        {
            AddTable(form.Name, parts.Base!);
            return;
        }

        if (parts.Base is { } plain)
        {
            AddBlocks(form.Name + ".base", plain);
        }

        if (parts.U is { } u && parts.V is { } v)
        {
            AddBlocks(form.Name + ".u", u);
            if (form.SharedFactors is null)
            {
                AddBlocks(form.Name + ".v", v);
            }
        }
    }

    /// <summary>Writes the file.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="name">The file's name.</param>
    /// <param name="layout">The unit's tensors as the manifest fixes them; each was added.</param>
    public WeightFile Write(string folder, int unit, string name, ImmutableArray<ManifestTensor> layout)
    {
        using var stream = new HashingStream(Path.Combine(folder, name));
        var writer = new SafetensorsWriter(stream, layout.Select(tensor =>
            (tensor.Name, Enum.Parse<SafetensorsType>(tensor.Type), tensor.Shape.Select(dimension => (long)dimension).ToImmutableArray())));
        while (writer.Current is { } tensor)
        {
            _tensors[tensor.Name](writer);
            if (ReferenceEquals(writer.Current, tensor))
            {
                throw new InvalidOperationException($"\"{tensor.Name}\" was not written whole.");
            }
        }

        writer.Finish();
        return new WeightFile(unit, name, stream.Position, stream.Complete());
    }

    private static void WriteWeights(SafetensorsWriter writer, QuantizedMatrix matrix)
    {
        var rows = Math.Max(Piece / matrix.PaddedInputs / BlockLayout.Rows, 1) * BlockLayout.Rows;
        var packed = new sbyte[BlockLayout.WeightBytes(rows, matrix.PaddedInputs, matrix.Group, matrix.Bits)];
        for (var from = 0; from < matrix.Outputs; from += rows)
        {
            var count = Math.Min(rows, matrix.Outputs - from);
            var target = packed.AsSpan(0, (int)BlockLayout.WeightBytes(count, matrix.PaddedInputs, matrix.Group, matrix.Bits));
            var source = matrix.Weights.AsSpan(from * matrix.PaddedInputs, count * matrix.PaddedInputs);
            BlockLayout.Pack(source, count, matrix.PaddedInputs, matrix.Group, matrix.Bits, target);
            writer.Write(MemoryMarshal.AsBytes(target));
        }
    }
}
