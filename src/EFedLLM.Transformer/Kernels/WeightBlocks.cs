using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Kernels;

/// <summary>A matrix in the order of <see cref="BlockLayout"/>, somewhere in memory.</summary>
/// <param name="Weights">[blocks, groups, group/2, 16, 2], or of fewer than 8 bits [blocks, groups, group * bits / 32, 16, 4].</param>
/// <param name="Scales">[blocks, groups, 16], bfloat16.</param>
/// <param name="Groups">Groups in a row.</param>
/// <param name="Group">Inputs that share a scale, 32 or 64.</param>
/// <param name="Bits">Bits of a weight: 4, 5, 6 or 8.</param>
internal readonly unsafe record struct WeightBlocks(nint Weights, nint Scales, int Groups, int Group, int Bits)
{
    /// <summary>Inputs of a row, padding included.</summary>
    public int Width => Groups * Group;

    /// <summary>From one group of a block to the next: bytes of weights.</summary>
    public int GroupBytes => BlockLayout.GroupBytes(Group, Bits);

    /// <summary>From one block to the next: bytes of weights.</summary>
    public long BlockBytes => (long)Groups * GroupBytes;

    /// <summary>Bytes of weights of a row, padding included.</summary>
    public long RowBytes => BlockBytes / BlockLayout.Rows;

    /// <summary>The first weights of a row: of 8 bits the first pair, and the next one of the row lies 32 bytes further; of fewer the first word, and the next one lies 64 bytes further.</summary>
    public sbyte* WeightsOf(int row) => (sbyte*)Weights + row / 16 * BlockBytes + row % 16 * (Bits == 8 ? 2 : 4);

    /// <summary>The first scale of a row; the next one of the same row lies 16 elements further.</summary>
    public ushort* ScalesOf(int row) => (ushort*)Scales + (long)(row / 16) * 16 * Groups + row % 16;
}
