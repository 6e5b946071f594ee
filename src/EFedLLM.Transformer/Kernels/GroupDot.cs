using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// The product of weights of 4 to 8 bits and int16 activations: for every output and group the exact integer sum, then
/// <c>acc = fma((float)sum, weightScale · activationScale, acc)</c>, groups ascending. The sum of a group is exact, so
/// its order is free, and an output has one accumulator, so every width, tile and thread count gives the same bits.
/// </summary>
internal static unsafe class GroupDot
{
    /// <summary>Rows of activations that the smallest tiles take at once at most.</summary>
    public const int MostTokens = 4;

    /// <summary>Results for which <see cref="Add"/> is called at once at most, so that they fit a stack.</summary>
    public const int MostResults = 16384;

    /// <summary>Rows of activations in the largest tile.</summary>
    public const int TileTokens = 6;

    /// <summary>The widest path of this processor.</summary>
    public static KernelWidth Best { get; } =
        DotLanes512.IsSupported ? KernelWidth.Bits512
        : DotLanes256.IsSupported ? KernelWidth.Bits256
        : DotLanes128.IsSupported ? KernelWidth.Bits128
        : KernelWidth.Scalar;

    /// <summary>Whether this processor has a path.</summary>
    public static bool IsSupported(KernelWidth width) => width switch
    {
        KernelWidth.Bits512 => DotLanes512.IsSupported,
        KernelWidth.Bits256 => DotLanes256.IsSupported,
        KernelWidth.Bits128 => DotLanes128.IsSupported,
        _ => true,
    };

    /// <summary>
    /// So many rows of activations make up for unpacking weights to memory, as measured; fewer unpack them in registers, for a few rows each time. Weights of 8
    /// bits are widened as they are loaded, which costs no more than loading them wide.
    /// </summary>
    /// <param name="bits">Bits of a weight: 4, 5, 6 or 8.</param>
    public static int LeastPanelTokens(int bits) => bits switch
    {
        8 => int.MaxValue,
        4 => 20,
        _ => 8,
    };

    /// <summary>For how many rows of activations to call <see cref="Add"/> at once: one tile, or where weights are unpacked to memory as many tiles as may be.</summary>
    /// <param name="bits">Bits of a weight.</param>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="tokens">Rows of activations that there are.</param>
    public static int TokensAtOnce(int bits, int rows, int tokens) => tokens < LeastPanelTokens(bits) ? MostTokens : MostResults / rows / TileTokens * TileTokens;

    /// <summary>Adds the products of some rows of a matrix with some rows of activations to results.</summary>
    /// <param name="width">The path; the processor must have it.</param>
    /// <param name="matrix">The matrix.</param>
    /// <param name="firstRow">Its first row to take, a multiple of 16.</param>
    /// <param name="rows">How many rows, a multiple of 16.</param>
    /// <param name="activations">The activations, quantised in groups like the matrix's.</param>
    /// <param name="firstToken">The first row of them to take.</param>
    /// <param name="tokens">How many rows of them, at least 1: the more, the less often weights are unpacked.</param>
    /// <param name="results">[tokens, rows]; read and overwritten.</param>
    public static void Add(KernelWidth width, in WeightBlocks matrix, int firstRow, int rows, in ActivationRows activations, int firstToken, int tokens, float* results)
    {
        switch (width)
        {
            case KernelWidth.Bits512:
                GroupDotForms<DotLanes512, Vector512<short>, Vector512<int>, Vector512<float>>.Add(matrix, firstRow, rows, activations, firstToken, tokens, results);
                break;
            case KernelWidth.Bits256:
                GroupDotForms<DotLanes256, Vector256<short>, Vector256<int>, Vector256<float>>.Add(matrix, firstRow, rows, activations, firstToken, tokens, results);
                break;
            case KernelWidth.Bits128:
                GroupDotForms<DotLanes128, Vector128<short>, Vector128<int>, Vector128<float>>.Add(matrix, firstRow, rows, activations, firstToken, tokens, results);
                break;
            default:
                ScalarGroupDot.Add(matrix, firstRow, rows, activations, firstToken, tokens, results);
                break;
        }
    }
}
