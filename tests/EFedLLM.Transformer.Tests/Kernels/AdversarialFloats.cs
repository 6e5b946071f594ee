namespace EFedLLM.Transformer.Tests.Kernels;

/// <summary>Fixed sequences of float32 that arithmetic is easily wrong on. No library function decides a bit of them.</summary>
internal static class AdversarialFloats
{
    private static readonly float[] Edges =
    [
        0f, -0f, float.Epsilon, -float.Epsilon, 1e-40f, -1e-40f, 1.17549435e-38f, -1.17549435e-38f, 1f, -1f, 0.5f, 1e-20f, -1e-20f,
        1e10f, -1e10f, 1e18f, -1e18f, 3e38f, -3e38f, float.MaxValue, float.MinValue, 16777216f, 16777217f, 8388608.5f, 0.1f, 1f / 3,
    ];

    /// <summary>Named kinds of sequence, each of the given length.</summary>
    public static IEnumerable<(string Kind, float[] Values)> All(int length, int seed)
    {
        var random = new Random(seed);
        yield return ("unit", Fill(_ => Unit()));
        yield return ("zeros", Fill(i => i % 2 == 0 ? 0f : -0f));
        yield return ("denormals", Fill(_ => BitConverter.UInt32BitsToSingle((uint)random.Next(1 << 23) | ((uint)random.Next(2) << 31))));
        yield return ("large", Fill(_ => Unit() * 1e18f));
        yield return ("tiny", Fill(_ => Unit() * 1e-22f));
        yield return ("any finite", Fill(_ => AnyFinite()));
        yield return ("edges", Fill(_ => Edges[random.Next(Edges.Length)]));
        yield return ("cancelling", Fill(i => i % 2 == 0 ? 1e8f + i : -1e8f - i + Unit()));
        yield return ("scores", Fill(_ => Unit() * 120));
        yield return ("equal", Fill(_ => 0.7f));

        float[] Fill(Func<int, float> value) => [.. Enumerable.Range(0, length).Select(value)];

        float Unit() => random.Next(-(1 << 24), (1 << 24) + 1) / (float)(1 << 24);

        float AnyFinite()
        {
            while (true)
            {
                var value = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
                if (float.IsFinite(value))
                {
                    return value;
                }
            }
        }
    }
}
