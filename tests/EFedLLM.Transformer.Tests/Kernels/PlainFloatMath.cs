namespace EFedLLM.Transformer.Tests.Kernels;

/// <summary>The reductions as the design defines them, written down plainly.</summary>
internal static class PlainFloatMath
{
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var lanes = new float[32];
        for (var i = 0; i < a.Length; i++)
        {
            lanes[i % 32] = MathF.FusedMultiplyAdd(a[i], b[i], lanes[i % 32]);
        }

        return Tree(lanes);
    }

    public static float Sum(ReadOnlySpan<float> x)
    {
        var lanes = new float[32];
        for (var i = 0; i < x.Length; i++)
        {
            lanes[i % 32] += x[i];
        }

        return Tree(lanes);
    }

    private static float Tree(float[] lanes)
    {
        for (var width = 16; width > 0; width /= 2)
        {
            for (var lane = 0; lane < width; lane++)
            {
                lanes[lane] += lanes[lane + width];
            }
        }

        return lanes[0];
    }
}
