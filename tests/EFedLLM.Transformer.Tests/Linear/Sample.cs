using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Tests.Linear;

/// <summary>A random factored matrix, plain and as a layer.</summary>
internal sealed record Sample(int Outputs, int Inputs, PlainFactored? Base, PlainFactored? V, PlainFactored? U, float[] Bias)
{
    /// <param name="outputs">Rows.</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="rank">Rank of the factors, 0 for none.</param>
    /// <param name="baseGroup">Group of the base, 0 for none.</param>
    /// <param name="factorGroup">Group of the factors.</param>
    /// <param name="baseBits">Bits of a weight of the base.</param>
    /// <param name="factorBits">Bits of a weight of the factors.</param>
    /// <param name="extreme">Whether all weights are the largest and least there are.</param>
    public static Sample Create(int outputs, int inputs, int rank, int baseGroup, int factorGroup, int baseBits, int factorBits, bool extreme)
    {
        var random = new Random(outputs * 7919 + inputs);
        var padded = factorGroup == 0 ? 0 : (rank + factorGroup - 1) / factorGroup * factorGroup;
        var bias = new float[outputs];
        HardRows.Fill(bias, 0, random);
        return new(
            outputs,
            inputs,
            baseGroup == 0 ? null : PlainFactored.Random(outputs, inputs, baseGroup, random, extreme, baseBits),
            rank == 0 ? null : PlainFactored.Random(padded, inputs, factorGroup, random, extreme, factorBits),
            rank == 0 ? null : PlainFactored.Random(outputs, padded, factorGroup, random, extreme, factorBits),
            bias);
    }

    public FactoredLinear Layer(KernelWidth width) => new(Inputs, Outputs, Base?.Pack(), V?.Pack(), U?.Pack(), Bias) { Width = width };

    public float[] Apply(ReadOnlySpan<float> x) => PlainFactored.Apply(Base, V, U, Bias, x);

    /// <summary>Rows of random numbers for kind 0; else the first of that kind, the second of the next one, and so on.</summary>
    public float[] Input(int rows, int kind)
    {
        var random = new Random(rows * 31 + kind);
        var x = new float[rows * Inputs];
        for (var row = 0; row < rows; row++)
        {
            HardRows.Fill(x.AsSpan(row * Inputs, Inputs), (kind + (kind == 0 ? 0 : row)) % HardRows.Kinds, random);
        }

        return x;
    }

    /// <summary>The product in float64 without quantising x, and how far off the layer may be.</summary>
    public (double[] Values, double[] Errors) Exact(ReadOnlySpan<float> x)
    {
        var input = x.ToArray().Select(value => (double)value).ToArray();
        var values = Bias.Select(value => (double)value).ToArray();
        var errors = Bias.Select(value => Math.Abs(value) * 1e-6).ToArray();
        if (Base is not null)
        {
            Add(Base, input, new double[input.Length], values, errors);
        }

        if (U is not null && V is not null)
        {
            var (lowRank, lowRankErrors) = (new double[V.Outputs], new double[V.Outputs]);
            Add(V, input, new double[input.Length], lowRank, lowRankErrors);
            Add(U, lowRank, lowRankErrors, values, errors);
        }

        return (values, errors);
    }

    private static void Add(PlainFactored matrix, double[] x, double[] inputErrors, double[] values, double[] errors)
    {
        var largest = x.Zip(inputErrors, (value, error) => Math.Abs(value) + error).Chunk(matrix.Group).Select(group => group.Max()).ToArray();
        for (var output = 0; output < matrix.Outputs; output++)
        {
            for (var input = 0; input < matrix.Inputs; input++)
            {
                var weight = matrix.Weight(output, input);
                values[output] += weight * x[input];
                // Half a step of quantising, what came in, and the rounding of the float32 accumulator.
                errors[output] += Math.Abs(weight) * (0.501 * largest[input / matrix.Group] / 32767 + inputErrors[input] + 1e-5 * Math.Abs(x[input])) + 1e-30;
            }
        }
    }
}
