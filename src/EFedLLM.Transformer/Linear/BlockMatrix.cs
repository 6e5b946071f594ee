using System.Runtime.InteropServices;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>A matrix of integer weights and bfloat16 scales in the order of <see cref="BlockLayout"/>, in an array of its own or in the memory of a file.</summary>
public sealed unsafe class BlockMatrix
{
    private readonly sbyte[]? _ownWeights;
    private readonly ushort[]? _ownScales;

    /// <summary>Copies a matrix into memory of its own.</summary>
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="group">Inputs that share a scale, 32 or 64.</param>
    /// <param name="bits">Bits of a weight: 4, 5, 6 or 8.</param>
    /// <param name="weights">[<see cref="BlockLayout.WeightBytes"/>], packed.</param>
    /// <param name="scales">[<see cref="BlockLayout.ScaleCount"/>], packed, bfloat16.</param>
    /// <exception cref="ArgumentException">A length does not fit the dimensions.</exception>
    public BlockMatrix(int outputs, int inputs, int group, int bits, ReadOnlySpan<sbyte> weights, ReadOnlySpan<ushort> scales)
        : this(outputs, inputs, group, bits)
    {
        if (weights.Length != BlockLayout.WeightBytes(outputs, inputs, group, bits) || scales.Length != BlockLayout.ScaleCount(outputs, inputs, group))
        {
            throw new ArgumentException($"{weights.Length} weights and {scales.Length} scales do not fit a packed matrix of {outputs} x {inputs} with {bits} bits in groups of {group}.");
        }

        _ownWeights = GC.AllocateUninitializedArray<sbyte>(weights.Length, pinned: true);
        _ownScales = GC.AllocateUninitializedArray<ushort>(scales.Length, pinned: true);
        weights.CopyTo(_ownWeights);
        scales.CopyTo(_ownScales);
        Blocks = BlocksAt((sbyte*)Marshal.UnsafeAddrOfPinnedArrayElement(_ownWeights, 0), (ushort*)Marshal.UnsafeAddrOfPinnedArrayElement(_ownScales, 0));
    }

    /// <summary>Takes a matrix where it lies; whoever owns the memory keeps it.</summary>
    internal BlockMatrix(int outputs, int inputs, int group, int bits, sbyte* weights, ushort* scales)
        : this(outputs, inputs, group, bits) => Blocks = BlocksAt(weights, scales);

    private BlockMatrix(int outputs, int inputs, int group, int bits)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputs);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inputs);
        BlockLayout.CheckForm(group, bits);
        (Outputs, Inputs, Group, Bits) = (outputs, inputs, group, bits);
    }

    /// <summary>Rows.</summary>
    public int Outputs { get; }

    /// <summary>Columns.</summary>
    public int Inputs { get; }

    /// <summary>Inputs that share a scale.</summary>
    public int Group { get; }

    /// <summary>Bits of a weight.</summary>
    public int Bits { get; }

    /// <summary>Bytes of weights and scales, padding included.</summary>
    public long Bytes => BlockLayout.WeightBytes(Outputs, Inputs, Group, Bits) + BlockLayout.ScaleCount(Outputs, Inputs, Group) * sizeof(ushort);

    /// <summary>Where it lies.</summary>
    internal WeightBlocks Blocks { get; }

    private WeightBlocks BlocksAt(sbyte* weights, ushort* scales) => new((nint)weights, (nint)scales, BlockLayout.Groups(Inputs, Group), Group, Bits);
}
