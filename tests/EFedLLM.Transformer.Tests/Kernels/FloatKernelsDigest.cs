using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Kernels;

/// <summary>Every float kernel over random and adversarial input, and the float64 functions.</summary>
internal sealed class FloatKernelsDigest : IBitDigest
{
    /// <summary>Lengths below, at and above every register, and with every kind of rest.</summary>
    public static readonly int[] Lengths = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 100, 128, 172, 257];

    private readonly FloatKernels _kernels;

    public FloatKernelsDigest()
        : this(FloatKernels.Best)
    {
    }

    public FloatKernelsDigest(FloatKernels kernels) => _kernels = kernels;

    public void Compute(BitResults results)
    {
        foreach (var length in Lengths)
        {
            var second = AdversarialFloats.All(length, seed: 2 * length + 1).Select(kind => kind.Values).ToArray();
            var index = 0;
            foreach (var (_, values) in AdversarialFloats.All(length, seed: 2 * length))
            {
                Elementwise(results, values, second[index]);
                Reduce(results, values, second[index], second[0]);
                Halves(results, values);
                index++;
            }
        }

        Products(results);
        Attention(results);
        Functions(results);
    }

    private void Elementwise(BitResults results, float[] x, float[] y)
    {
        AddMutated(values => _kernels.ExpShifted(values, 0));
        AddMutated(values => _kernels.Add(values, y));
        AddMutated(values => _kernels.Scale(values, 0.3f));
        AddMutated(values => _kernels.SwiGlu(values, y));
        AddMutated(values => _kernels.RmsNorm(values, y, 1e-5f, values));
        AddMutated(values => _kernels.LayerNorm(values, y, x, 1e-12f, values));
        AddMutated(values => _kernels.Gelu(values));
        AddMutated(values => _kernels.Softmax(values));
        var half = x.Length / 2;
        AddMutated(values => _kernels.Rotate(values.AsSpan(0, 2 * half), y.AsSpan(0, half), y.AsSpan(half)));

        void AddMutated(Action<float[]> kernel)
        {
            var values = x.ToArray();
            kernel(values);
            results.Add<float>(Canonical(values));
        }
    }

    private void Reduce(BitResults results, float[] x, float[] y, float[] z)
    {
        results.Add<float>(Canonical([_kernels.Dot(x, y), _kernels.Dot(x, z), _kernels.Dot(x, x), _kernels.Sum(x), _kernels.Max(x) + 0f]));
        results.Add(_kernels.IsFinite(x));
    }

    private unsafe void Halves(BitResults results, float[] x)
    {
        var (narrow, wide) = (new Half[x.Length], new float[x.Length]);
        _kernels.Narrow(x, narrow);
        fixed (Half* source = narrow)
        {
            fixed (float* target = wide)
            {
                _kernels.Widen(source, 1, x.Length, x.Length, target);
            }
        }

        results.Add<Half>(narrow);
        results.Add<float>(wide);
    }

    private unsafe void Products(BitResults results)
    {
        foreach (var (rows, outputs, inputs) in new[] { (1, 1, 5), (3, 7, 40), (5, 3, 33), (9, 6, 96), (4, 16, 172) })
        {
            var x = AdversarialFloats.All(rows * inputs, seed: 3).First().Values;
            var bias = AdversarialFloats.All(outputs, seed: 4).First().Values;
            foreach (var (_, weights) in AdversarialFloats.All(outputs * inputs, seed: 5))
            {
                var y = new float[rows * outputs];
                fixed (float* w = weights, b = bias, source = x, destination = y)
                {
                    _kernels.Products(w, b, outputs, inputs, source, rows, destination, outputs);
                }

                results.Add<float>(Canonical(y));
            }
        }
    }

    private unsafe void Attention(BitResults results)
    {
        const int Page = FloatKernels.PagePositions;
        foreach (var headSize in new[] { 2, 6, 8, 16, 24, 32, 48, 64, 80, 100, 128 })
        {
            foreach (var (_, cache) in AdversarialFloats.All(headSize * Page, seed: headSize))
            {
                var query = AdversarialFloats.All(headSize, seed: headSize + 1).First().Values;
                foreach (var (from, to) in new[] { (0, 1), (0, Page), (5, 18), (63, 64) })
                {
                    var scores = new float[Page];
                    var output = new float[headSize];
                    fixed (float* q = query, page = cache, s = scores, o = output)
                    {
                        _kernels.Scores(q, page, headSize, from, to, 0.25f, s);
                        results.Add<float>(Canonical(scores[from..to]));
                        _kernels.Softmax(scores.AsSpan(from, to - from));
                        _kernels.Weigh(s, page, headSize, from, to, o);
                        results.Add<float>(Canonical(output));
                    }
                }
            }
        }
    }

    private static void Functions(BitResults results)
    {
        foreach (var (_, values) in AdversarialFloats.All(500, seed: 6))
        {
            foreach (var value in values)
            {
                var angle = Math.Min(Math.Abs(value), 1e8f);
                var (sin, cos) = DoubleMath.SinCos(angle);
                results.Add<double>([DoubleMath.Exp(value), DoubleMath.Log(angle + double.Epsilon), sin, cos, DoubleMath.Tanh(value)]);
            }
        }
    }

    /// <summary>A NaN that arithmetic makes has another sign on ARM than on x86; it is refused before it leaves a shard, so its bits do not matter.</summary>
    private static float[] Canonical(float[] values) => [.. values.Select(value => float.IsNaN(value) ? float.NaN : value)];
}
