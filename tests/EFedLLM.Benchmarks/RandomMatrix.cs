using System.Runtime.InteropServices;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Benchmarks;

/// <summary>Matrices of random weights.</summary>
internal static class RandomMatrix
{
    /// <summary>Inputs that share a scale.</summary>
    public const int Group = 32;

    private const float Scale = 0.01f;

    /// <summary>One matrix.</summary>
    public static BlockMatrix Of(int outputs, int inputs, int bits, Random random)
    {
        var weights = new sbyte[BlockLayout.WeightBytes(outputs, inputs, Group, bits)];
        random.NextBytes(MemoryMarshal.AsBytes(weights.AsSpan()));
        var scales = new ushort[BlockLayout.ScaleCount(outputs, inputs, Group)];
        scales.AsSpan().Fill(BFloat16.FromSingle(Scale));
        return new BlockMatrix(outputs, inputs, Group, bits, weights, scales);
    }

    /// <summary>So many of them, all alike, that no cache holds them and each comes from memory when its turn is.</summary>
    /// <param name="bytes">Bytes that all have together at least.</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="bits">Bits of a weight.</param>
    public static BlockMatrix[] Many(long bytes, int outputs, int inputs, int bits)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, (int)(bytes / BlockLayout.WeightBytes(outputs, inputs, Group, bits)) + 1).Select(_ => Of(outputs, inputs, bits, random))];
    }

    /// <summary>Bytes of a matrix, scales and padding included.</summary>
    public static long Bytes(int outputs, int inputs, int bits) => BlockLayout.WeightBytes(outputs, inputs, Group, bits) + BlockLayout.ScaleCount(outputs, inputs, Group) * sizeof(ushort);

    /// <summary>Numbers between -0.5 and 0.5.</summary>
    public static float[] Values(int count)
    {
        var random = new Random(2);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
    }
}
