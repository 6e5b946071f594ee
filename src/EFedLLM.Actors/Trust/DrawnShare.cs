namespace EFedLLM.Actors.Trust;

/// <summary>A hash as a lot: it falls below a share of 2^256 with the probability of that share, and everybody who repeats it sees the same.</summary>
internal static class DrawnShare
{
    private const int MantissaBits = 52;
    private const int ExponentBias = 1075;
    private const int DigestBits = Digest.Bytes * 8;

    /// <summary>Whether <paramref name="lot"/>, as a number from 0 to 2^256, is below <paramref name="share"/> · 2^256. Exact: nothing is rounded.</summary>
    /// <param name="lot">Any 256 bits, as a big-endian number.</param>
    /// <param name="share">0 to 1.</param>
    public static bool IsBelow(Digest lot, double share)
    {
        if (share >= 1)
        {
            return true;
        }

        if (!(share > 0))
        {
            return false;
        }

        var bound = Bound(share);
        return lot.A != bound.A ? lot.A < bound.A
            : lot.B != bound.B ? lot.B < bound.B
            : lot.C != bound.C ? lot.C < bound.C
            : lot.D < bound.D;
    }

    /// <summary>A place among <paramref name="count"/>: each as likely as the others, to within count / 2^64.</summary>
    public static int Index(Digest lot, int count) => (int)Math.BigMul(lot.A, (ulong)count, out _);

    /// <summary>The least whole number that is not below share · 2^256, which is less than 2^256.</summary>
    private static Digest Bound(double share)
    {
        // share = mantissa · 2^(exponent - 1075)
        var bits = BitConverter.DoubleToUInt64Bits(share);
        var exponent = (int)(bits >> MantissaBits);
        var mantissa = bits & ((1UL << MantissaBits) - 1);
        (mantissa, exponent) = exponent == 0 ? (mantissa, 1) : (mantissa | (1UL << MantissaBits), exponent);
        var shift = exponent - ExponentBias + DigestBits;
        if (shift < 0)
        {
            // A lot is whole: it is below a broken number when it is below the next whole one.
            var whole = -shift > MantissaBits ? 0 : mantissa >> -shift;
            return new Digest(0, 0, 0, -shift <= MantissaBits && whole << -shift == mantissa ? whole : whole + 1);
        }

        Span<ulong> words = stackalloc ulong[5];
        var wide = (UInt128)mantissa << (shift % 64);
        words[shift / 64] = (ulong)wide;
        words[(shift / 64) + 1] = (ulong)(wide >> 64);
        return new Digest(words[3], words[2], words[1], words[0]);
    }
}
