namespace EFedLLM.Transformer.Kernels;

/// <summary>A matrix in the order of <see cref="Linear.BlockLayout"/>, somewhere in memory.</summary>
/// <param name="Weights">[blocks, groups, group/2, 16, 2].</param>
/// <param name="Scales">[blocks, groups, 16], bfloat16.</param>
/// <param name="Groups">Groups in a row.</param>
/// <param name="Group">Inputs that share a scale, 32 or 64.</param>
internal readonly unsafe record struct WeightBlocks(nint Weights, nint Scales, int Groups, int Group)
{
    /// <summary>Inputs of a row, padding included.</summary>
    public int Width => Groups * Group;

    /// <summary>The first pair of inputs of a row; the next pair of the same row lies 32 bytes further.</summary>
    public sbyte* WeightsOf(int row) => (sbyte*)Weights + (long)(row / 16) * 16 * Width + row % 16 * 2;

    /// <summary>The first scale of a row; the next one of the same row lies 16 elements further.</summary>
    public ushort* ScalesOf(int row) => (ushort*)Scales + (long)(row / 16) * 16 * Groups + row % 16;
}
