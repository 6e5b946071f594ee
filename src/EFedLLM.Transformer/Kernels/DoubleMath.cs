namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// Elementary functions in float64 that give the same bits on every platform, which those of <see cref="Math"/> do not:
/// argument reduction and Taylor series on +, -, *, / and fused multiply-add alone. Within a few units in the last place.
/// </summary>
internal static class DoubleMath
{
    /// <summary>The largest angle <see cref="SinCos"/> takes, in radians.</summary>
    public const double LargestAngle = 1L << 27;

    private const double Ln2High = 0.69314718055994531;
    private const double Ln2Low = 2.3190468138462996e-17;
    private const double Log2E = 1.4426950408889634;
    private const double HalfPiHigh = 1.5707963267948966;
    private const double HalfPiLow = 6.123233995736766e-17;
    private const double SquareRootOf2 = 1.4142135623730951;
    private const int MantissaBits = 52;
    private const int ExponentBias = 1023;

    /// <summary>The exponential function; 0 and infinity beyond the range of float64, NaN for NaN.</summary>
    public static double Exp(double x)
    {
        if (double.IsNaN(x))
        {
            return x;
        }

        x = x < -746 ? -746 : x > 710 ? 710 : x;
        var n = Math.Round(x * Log2E);
        var r = Math.FusedMultiplyAdd(-n, Ln2High, x);
        r = Math.FusedMultiplyAdd(-n, Ln2Low, r);
        var p = Polynomial(r, [
            1d / 6227020800, 1d / 479001600, 1d / 39916800, 1d / 3628800, 1d / 362880, 1d / 40320, 1d / 5040, 1d / 720, 1d / 120, 1d / 24,
            1d / 6, 1d / 2, 1, 1]);
        // In two steps, so that each power is a normal number.
        var power = (int)n;
        var half = power >> 1;
        return p * PowerOfTwo(half) * PowerOfTwo(power - half);
    }

    /// <summary>The hyperbolic tangent: 1 - 2 / (exp(2|x|) + 1) with the sign of x, and below 2^-9, where that cancels, its Taylor series. NaN for NaN.</summary>
    public static double Tanh(double x)
    {
        const double Small = 1d / 512;
        var square = x * x;
        if (square < Small * Small)
        {
            return x + x * square * Polynomial(square, [-17d / 315, 2d / 15, -1d / 3]);
        }

        var tangent = 1 - 2 / (Exp(2 * Math.Abs(x)) + 1);
        return x < 0 ? -tangent : tangent;
    }

    /// <summary>The natural logarithm of a positive finite number: k ln 2 + 2 artanh((m - 1) / (m + 1)) for x = m · 2^k.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not positive and finite.</exception>
    public static double Log(double x)
    {
        if (!(x > 0) || double.IsInfinity(x))
        {
            throw new ArgumentOutOfRangeException(nameof(x), x, "Only positive finite numbers have a logarithm.");
        }

        var k = 0;
        if (!double.IsNormal(x))
        {
            x *= PowerOfTwo(54);
            k = -54;
        }

        var bits = BitConverter.DoubleToInt64Bits(x);
        k += (int)(bits >> MantissaBits) - ExponentBias;
        var m = BitConverter.Int64BitsToDouble((bits & ((1L << MantissaBits) - 1)) | ((long)ExponentBias << MantissaBits));
        if (m > SquareRootOf2)
        {
            m *= 0.5;
            k++;
        }

        var s = (m - 1) / (m + 1);
        var series = Polynomial(s * s, [
            1d / 25, 1d / 23, 1d / 21, 1d / 19, 1d / 17, 1d / 15, 1d / 13, 1d / 11, 1d / 9, 1d / 7, 1d / 5, 1d / 3, 1]);
        return Math.FusedMultiplyAdd(k, Ln2High, Math.FusedMultiplyAdd(k, Ln2Low, 2 * s * series));
    }

    /// <summary>Sine and cosine of an angle in radians of at most <see cref="LargestAngle"/> either way: the angle less a multiple of π/2, then Taylor series up to π/4.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The angle is larger, or NaN.</exception>
    public static (double Sin, double Cos) SinCos(double x)
    {
        if (!(Math.Abs(x) <= LargestAngle))
        {
            throw new ArgumentOutOfRangeException(nameof(x), x, $"The angle must be within {LargestAngle} either way.");
        }

        var n = Math.Round(x * (1 / HalfPiHigh));
        var r = Math.FusedMultiplyAdd(-n, HalfPiHigh, x);
        r = Math.FusedMultiplyAdd(-n, HalfPiLow, r);
        var square = r * r;
        var sin = r + r * square * Polynomial(square, [
            1d / 355687428096000, -1d / 1307674368000, 1d / 6227020800, -1d / 39916800, 1d / 362880, -1d / 5040, 1d / 120, -1d / 6]);
        var cos = Polynomial(square, [
            1d / 20922789888000, -1d / 87178291200, 1d / 479001600, -1d / 3628800, 1d / 40320, -1d / 720, 1d / 24, -1d / 2, 1]);
        return ((long)n & 3) switch
        {
            0 => (sin, cos),
            1 => (cos, -sin),
            2 => (-sin, -cos),
            _ => (-cos, sin),
        };
    }

    /// <summary>Horner's rule, the highest coefficient first.</summary>
    private static double Polynomial(double x, ReadOnlySpan<double> coefficients)
    {
        var sum = coefficients[0];
        foreach (var coefficient in coefficients[1..])
        {
            sum = Math.FusedMultiplyAdd(sum, x, coefficient);
        }

        return sum;
    }

    private static double PowerOfTwo(int exponent) => BitConverter.Int64BitsToDouble((long)(exponent + ExponentBias) << MantissaBits);
}
