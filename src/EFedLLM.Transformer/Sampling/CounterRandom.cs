namespace EFedLLM.Transformer.Sampling;

/// <summary>
/// Random numbers as a function of seed and position, with no state to carry along: element <c>position</c> of the
/// sequence that SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014) gives from a
/// mixed seed. Mixing the seed first keeps neighbouring seeds from giving the same sequence shifted.
/// </summary>
internal static class CounterRandom
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;

    /// <summary>A number in [0, 1), a multiple of 2^-53.</summary>
    public static double Unit(ulong seed, int position)
    {
        var bits = unchecked(Mix(Mix(seed + Gamma) + Gamma * ((ulong)position + 1)));
        return (bits >> 11) * (1.0 / (1L << 53));
    }

    private static ulong Mix(ulong z)
    {
        unchecked
        {
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
