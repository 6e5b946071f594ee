using System.Runtime.CompilerServices;

namespace EFedLLM.Transformer.Kernels;

internal abstract unsafe partial class FloatKernels
{
    /// <summary>
    /// y[i] = (x[i] - mean) / sqrt(variance + epsilon) * gain[i] + bias[i] (Ba, Kiros and Hinton, "Layer Normalization", 2016),
    /// the variance as the mean square of what is left after subtracting the mean. y may be x.
    /// </summary>
    public abstract void LayerNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, float epsilon, Span<float> y);

    /// <summary>
    /// x[i] becomes GELU(x[i]) = x · Φ(x), with the normal distribution's Φ itself and not its approximation by tanh (Hendrycks
    /// and Gimpel, "Gaussian Error Linear Units", 2016): max(x, 0) - |x| · Q(|x|), where nothing cancels; see <see cref="FloatGauss"/>.
    /// </summary>
    public abstract void Gelu(Span<float> x);
}

internal sealed unsafe partial class FloatKernels<TLanes, TVector>
{
    public override void LayerNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, float epsilon, Span<float> y)
    {
        var mean = Sum(x) / x.Length;
        fixed (float* source = x, gains = gain, biases = bias, destination = y)
        {
            var i = 0;
            for (; i <= x.Length - TLanes.Count; i += TLanes.Count)
            {
                TLanes.Store(TLanes.Subtract(TLanes.Load(source + i), TLanes.Create(mean)), destination + i);
            }

            for (; i < x.Length; i++)
            {
                destination[i] = source[i] - mean;
            }

            var scale = 1 / MathF.Sqrt(Dot(destination, destination, x.Length) / x.Length + epsilon);
            for (i = 0; i <= x.Length - TLanes.Count; i += TLanes.Count)
            {
                var normed = TLanes.Multiply(TLanes.Load(destination + i), TLanes.Create(scale));
                TLanes.Store(TLanes.MultiplyAdd(normed, TLanes.Load(gains + i), TLanes.Load(biases + i)), destination + i);
            }

            for (; i < x.Length; i++)
            {
                destination[i] = MathF.FusedMultiplyAdd(destination[i] * scale, gains[i], biases[i]);
            }
        }
    }

    public override void Gelu(Span<float> x)
    {
        fixed (float* values = x)
        {
            var i = 0;
            for (; i <= x.Length - TLanes.Count; i += TLanes.Count)
            {
                TLanes.Store(Gelu<TLanes, TVector>(TLanes.Load(values + i)), values + i);
            }

            for (; i < x.Length; i++)
            {
                values[i] = Gelu<Lanes1, float>(values[i]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TAny Gelu<TSome, TAny>(TAny x)
        where TSome : struct, IFloatLanes<TAny>
        where TAny : struct
    {
        var zero = TSome.Create(0);
        var negative = TSome.Smaller(x, TSome.Subtract(zero, x)); // -|x|
        var tail = FloatGauss.Tail<TSome, TAny>(TSome.Subtract(zero, negative));
        return TSome.MultiplyAdd(negative, tail, TSome.Larger(x, zero));
    }
}
