using System.Runtime.CompilerServices;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// The normal distribution's tail in float32, the same bits everywhere: Q(a) = erfc(a / √2) / 2, the probability of a value
/// above a. It is exp(-a² / 2) · t · P(t) with t = 1 / (1 + 0.24 a), where P is the polynomial of degree 9 that takes the
/// values of erfcx(a / √2) / 2t at the Chebyshev nodes of t for a in [0, 14.6]; what it misses is below 4e-9 of the value.
/// The exponent's rounding error is put right, so the result is within 6e-7 of its value, down to the smallest normal number.
/// </summary>
internal static class FloatGauss
{
    /// <summary>Beyond it the tail has rounded to 0.</summary>
    private const float Farthest = 16;

    private const float Slope = 0.24f;

    /// <summary>Q(a) for a of at least 0; NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Tail<TLanes, TVector>(TVector a)
        where TLanes : struct, IFloatLanes<TVector>
        where TVector : struct
    {
        a = TLanes.Smaller(a, TLanes.Create(Farthest));
        var t = TLanes.Divide(TLanes.Create(1), TLanes.MultiplyAdd(TLanes.Create(Slope), a, TLanes.Create(1)));
        var p = TLanes.Create(0.025710498025045183f);
        p = TLanes.MultiplyAdd(p, t, TLanes.Create(-0.12569648644498574f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Create(0.20811501193936247f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Create(-0.14798900456437752f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Create(0.14472295320488213f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Create(0.026297744476861538f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Create(0.08844076047174926f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Create(0.0887807017376291f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Create(0.0958768134157612f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Create(0.09574100924026853f));

        // a² = square + rest exactly, and exp(-rest / 2) = 1 - rest / 2 to float32.
        var square = TLanes.Multiply(a, a);
        var rest = TLanes.MultiplyAdd(a, a, TLanes.Subtract(TLanes.Create(0), square));
        var decay = FloatExp.Of<TLanes, TVector>(TLanes.Multiply(square, TLanes.Create(-0.5f)));
        decay = TLanes.MultiplyAdd(decay, TLanes.Multiply(rest, TLanes.Create(-0.5f)), decay);
        return TLanes.Multiply(TLanes.Multiply(p, t), decay);
    }
}
