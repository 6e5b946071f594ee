namespace EFedLLM.Transformer.Tests.Linear;

/// <summary>Rows of activations at the borders of what the quantiser and the kernels must bear.</summary>
internal static class HardRows
{
    /// <summary>Number of kinds of rows.</summary>
    public const int Kinds = 12;

    /// <summary>Fills a row with values of a kind.</summary>
    public static void Fill(Span<float> row, int kind, Random random)
    {
        for (var i = 0; i < row.Length; i++)
        {
            var normal = (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() + random.NextDouble() - 2); // nearly
            var sign = random.Next(2) == 0 ? 1f : -1f;
            row[i] = kind switch
            {
                0 => normal,
                1 => sign * 0f,
                2 => sign * BitConverter.Int32BitsToSingle(random.Next(1 << 23)), // subnormal
                3 => sign * float.MaxValue * (1 - random.NextSingle() / 4),
                4 => i % 32 == 0 ? 32767 : random.Next(-32767, 32767) + 0.5f, // the scale is 1: every value is a tie
                5 => sign * 32767, // everything is the group's maximum
                6 => sign * BitConverter.Int32BitsToSingle((127 - 112 + random.Next(3)) << 23), // around 2^-111, where scales become subnormal
                7 => random.Next(16) == 0 ? normal * 1e6f : normal * 1e-3f, // outliers
                8 => BitConverter.Int32BitsToSingle(random.Next(0x7F800000)) * sign, // any finite magnitude
                9 => i == 0 ? float.NaN : normal,
                10 => i % 40 == 39 ? sign * float.PositiveInfinity : normal,
                _ => i % 2 == 0 ? normal : float.Epsilon,
            };
        }
    }
}
