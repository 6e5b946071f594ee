namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// What turning float32 into IEEE 754 binary16 ("half": 1 bit of sign, 5 of exponent, 10 of mantissa) and back is made of, the
/// same bits everywhere. Widening is exact: the bits move to where float32 has them, and a product with 2^112 mends the
/// exponent, of subnormal numbers too. Narrowing goes to the nearest half, ties to even: adding 2^13 times the power of
/// two at or below a number leaves just the bits that a half keeps in the low end of the sum. What is beyond the largest
/// half becomes that; an infinity or a NaN does too, so whoever narrows refuses them before or after.
/// </summary>
internal static class FloatHalf
{
    /// <summary>Bits that the mantissa of a float32 has more.</summary>
    public const int MantissaRest = 13;

    /// <summary>The bits that come from a half, sign-extended to 32 bits and moved by <see cref="MantissaRest"/>.</summary>
    public const int Moved = unchecked((int)0x8FFFE000);

    /// <summary>2^112, between the exponent's bias of a half (15) and of a float32 (127).</summary>
    public const float Rebias = 5.192296858534828e33f;

    /// <summary>A float32 without its sign.</summary>
    public const int Magnitude = 0x7FFFFFFF;

    /// <summary>The exponent of a float32, where it stands.</summary>
    public const int Exponent = 0x7F800000;

    /// <summary>65504, the largest half, as a float32.</summary>
    public const int Largest = 0x477FE000;

    /// <summary>2^-14, the least normal half, as a float32: numbers below it are as far apart as those just above.</summary>
    public const int LeastNormal = 113 << FloatExp.MantissaBits;

    /// <summary>Makes 2^13 times a power of two of it.</summary>
    public const int Shifter = MantissaRest << FloatExp.MantissaBits;

    /// <summary>What <see cref="LeastNormal"/> becomes when moved to where a half has its exponent: to be taken off there.</summary>
    public const int ExponentRest = LeastNormal >> MantissaRest;

    /// <summary>The sign of a half.</summary>
    public const int Sign = 0x8000;
}
