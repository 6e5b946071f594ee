using System.Runtime.CompilerServices;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// The exponential function in float32, the same bits everywhere: exp(x) = 2^n · exp(r) with n the integer nearest to
/// x / ln 2 and exp(r) by its Taylor polynomial of degree 7 (|r| ≤ ln 2 / 2, where what is cut off is below 6e-9).
/// Within one unit in the last place; 0 from -104 down, infinity from 88.73 up, NaN only for NaN.
/// </summary>
internal static class FloatExp
{
    /// <summary>Adding it rounds a float32 of at most 2^22 to an integer, which then stands in its low bits.</summary>
    public const float Shifter = 12582912; // 1.5 * 2^23

    /// <summary>The bits of <see cref="Shifter"/>.</summary>
    public const int ShifterBits = 0x4B400000;

    public const int ExponentBias = 127;
    public const int MantissaBits = 23;

    // Beyond these the result has rounded to 0 or overflowed anyway; inside, n fits the exponent.
    private const float Lowest = -104;
    private const float Highest = 89;

    // ln 2 in two parts: with a fused multiply-add, x - n * High is exact.
    private const float Log2E = 1.4426950408889634f;
    private const float Ln2High = 0.69314718055994531f;
    private const float Ln2Low = (float)(0.69314718055994531 - Ln2High);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Of<TLanes, TVector>(TVector x)
        where TLanes : struct, IFloatLanes<TVector>
        where TVector : struct
    {
        x = TLanes.Smaller(TLanes.Larger(x, TLanes.Create(Lowest)), TLanes.Create(Highest));
        var shifted = TLanes.MultiplyAdd(x, TLanes.Create(Log2E), TLanes.Create(Shifter));
        var n = TLanes.Subtract(shifted, TLanes.Create(Shifter));
        var r = TLanes.MultiplyAdd(n, TLanes.Create(-Ln2High), x);
        r = TLanes.MultiplyAdd(n, TLanes.Create(-Ln2Low), r);
        var p = TLanes.Create(1f / 5040);
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(1f / 720));
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(1f / 120));
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(1f / 24));
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(1f / 6));
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(0.5f));
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(1f));
        p = TLanes.MultiplyAdd(p, r, TLanes.Create(1f));
        return TLanes.TimesPowerOfTwo(p, shifted);
    }
}
