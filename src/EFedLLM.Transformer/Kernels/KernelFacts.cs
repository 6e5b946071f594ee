using System.Runtime.Intrinsics.Arm;

namespace EFedLLM.Transformer.Kernels;

/// <summary>What the kernels use on this processor, for people who want to know.</summary>
public static class KernelFacts
{
    /// <summary>Bits of a register of the products of integers; 0 where they are computed without vectors.</summary>
    public static int DotBits => GroupDot.Best switch
    {
        KernelWidth.Bits512 => 512,
        KernelWidth.Bits256 => 256,
        KernelWidth.Bits128 => 128,
        _ => 0,
    };

    /// <summary>Bits of a register of the work in floats; 32 where it is done without vectors.</summary>
    public static int FloatBits => FloatKernels.Best.Width * sizeof(float) * 8;

    /// <summary>Rows of a matrix in a tile, and tokens that it serves, where so many tokens are computed.</summary>
    /// <param name="tokens">Tokens of a step, at least 1.</param>
    /// <param name="bits">Bits of a weight: 4, 5, 6 or 8.</param>
    public static (int Rows, int Tokens) Tile(int tokens, int bits)
    {
        var lanes = Math.Max(1, DotBits / 32);
        return DotBits == 0 ? (1, 1)
            : tokens >= GroupDot.LeastPanelTokens(bits) ? (2 * lanes, GroupDot.TileTokens)
            : tokens >= GroupDot.MostTokens ? (2 * lanes, GroupDot.MostTokens)
            : (4 * lanes, Math.Min(tokens, 2));
    }

    /// <summary>The instructions that turn weights of some bits and activations into sums, in the order in which they are used.</summary>
    /// <param name="bits">Bits of a weight: 4, 5, 6 or 8.</param>
    public static string Instructions(int bits) => GroupDot.Best switch
    {
        KernelWidth.Scalar => "no vectors",
        KernelWidth.Bits128 when AdvSimd.Arm64.IsSupported => $"AdvSimd: {(bits == 8 ? "sxtl" : Unpack("and", "ushr", "orr", bits))}, smull, smull2, addp, add",
        KernelWidth.Bits128 => $"SSE4.1: {(bits == 8 ? "pmovsxbw" : Unpack("pand", "psrlw", "por", bits))}, pmaddwd, paddd",
        KernelWidth.Bits256 => $"AVX2: {(bits == 8 ? "vpmovsxbw" : Unpack("vpand", "vpsrlw", "vpor", bits))}, vpmaddwd, vpaddd",
        _ => $"AVX-512 BW: {(bits == 8 ? "vpmovsxbw" : Unpack("vpandd", "vpsrlw", "vpord", bits))}, vpmaddwd, vpaddd",
    };

    /// <summary>Weights of 4 bits have no upper ones to join.</summary>
    private static string Unpack(string mask, string shift, string join, int bits) => bits == 4 ? $"{mask}, {shift}" : $"{mask}, {shift}, {join}";
}
