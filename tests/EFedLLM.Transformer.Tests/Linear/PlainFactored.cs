using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Tests.Linear;

/// <summary>One matrix row by row, and the definitions of DESIGN section 5 without layout, tiles or vectors.</summary>
/// <param name="Outputs">Rows.</param>
/// <param name="Inputs">Columns.</param>
/// <param name="Group">Inputs that share a scale.</param>
/// <param name="Weights">[outputs, inputs].</param>
/// <param name="Scales">[outputs, groups], bfloat16.</param>
/// <param name="Bits">Bits of a weight.</param>
internal sealed record PlainFactored(int Outputs, int Inputs, int Group, sbyte[] Weights, ushort[] Scales, int Bits = 8)
{
    public int Groups => (Inputs + Group - 1) / Group;

    public static PlainFactored Random(int outputs, int inputs, int group, Random random, bool extreme = false, int bits = 8)
    {
        var weights = new sbyte[outputs * inputs];
        var half = 1 << (bits - 1);
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = extreme ? (sbyte)(random.Next(3) switch { 0 => -half, 1 => -half + 1, _ => half - 1 }) : (sbyte)random.Next(-half, half);
        }

        var scales = new ushort[outputs * ((inputs + group - 1) / group)];
        for (var i = 0; i < scales.Length; i++)
        {
            scales[i] = BFloat16.FromSingle(random.NextSingle() / 1000);
        }

        return new(outputs, inputs, group, weights, scales, bits);
    }

    /// <summary>The matrix as the layer takes it.</summary>
    public BlockMatrix Pack()
    {
        var weights = new sbyte[BlockLayout.WeightBytes(Outputs, Inputs, Group, Bits)];
        var scales = new ushort[BlockLayout.ScaleCount(Outputs, Inputs, Group)];
        BlockLayout.Pack(Weights, Outputs, Inputs, Group, Bits, weights);
        BlockLayout.PackScales(Scales, Outputs, Groups, scales);
        return new(Outputs, Inputs, Group, Bits, weights, scales);
    }

    /// <summary>The weight of a row and a column.</summary>
    public double Weight(int output, int input) => (double)Weights[output * Inputs + input] * BFloat16.ToSingle(Scales[output * Groups + input / Group]);

    /// <summary>Adds the products with one row of activations.</summary>
    public void Add(ReadOnlySpan<float> x, Span<float> results)
    {
        var (q, scales) = Quantise(x, Group);
        for (var output = 0; output < Outputs; output++)
        {
            for (var group = 0; group < Groups; group++)
            {
                var sum = 0L;
                for (var input = group * Group; input < Math.Min(Inputs, (group + 1) * Group); input++)
                {
                    sum += Weights[output * Inputs + input] * q[input];
                }

                var scale = BFloat16.ToSingle(Scales[output * Groups + group]) * scales[group];
                results[output] = MathF.FusedMultiplyAdd(sum, scale, results[output]);
            }
        }
    }

    /// <summary>y = B·x + U·(V·x) + bias for one row.</summary>
    public static float[] Apply(PlainFactored? @base, PlainFactored? v, PlainFactored? u, float[]? bias, ReadOnlySpan<float> x)
    {
        var results = new float[(@base ?? u)!.Outputs];
        @base?.Add(x, results);
        if (u is not null)
        {
            var lowRank = new float[v!.Outputs];
            v.Add(x, lowRank);
            u.Add(Canonical(lowRank), results);
        }

        for (var i = 0; bias is not null && i < results.Length; i++)
        {
            results[i] += bias[i];
        }

        return Canonical(results);
    }

    /// <summary>The activations as integers, with a scale per group.</summary>
    public static (int[] Q, float[] Scales) Quantise(ReadOnlySpan<float> x, int group)
    {
        var groups = (x.Length + group - 1) / group;
        var (q, scales) = (new int[x.Length], new float[groups]);
        for (var i = 0; i < groups; i++)
        {
            var values = x[(i * group)..Math.Min(x.Length, (i + 1) * group)];
            var largest = 0f;
            var finite = true;
            foreach (var value in values)
            {
                finite &= float.IsFinite(value);
                largest = Math.Max(largest, Math.Abs(value));
            }

            scales[i] = !finite ? BitConverter.UInt32BitsToSingle(0x7FC00000) : float.IsNormal(largest / 32767f) ? largest / 32767f : 0;
            for (var j = 0; scales[i] > 0 && j < values.Length; j++)
            {
                q[i * group + j] = (int)Math.Round((double)(values[j] / scales[i]), MidpointRounding.ToEven);
            }
        }

        return (q, scales);
    }

    private static float[] Canonical(float[] values) =>
        [.. values.Select(value => float.IsNaN(value) ? BitConverter.UInt32BitsToSingle(0x7FC00000) : value)];
}
