using BenchmarkDotNet.Attributes;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Benchmarks;

/// <summary>The kernels that pass over the rows of tokens: norms, the gated unit, softmax, and the quantisation of what a matrix multiplies. Their rows come from a cache, as in a model.</summary>
[ShortRunJob]
[BandwidthColumns]
public unsafe class RowKernelBenchmarks : IReadsMemory
{
    private const int Group = RandomMatrix.Group;
    private const float Epsilon = 1e-5f;

    private float[] _x = [];
    private float[] _gain = [];
    private float[] _y = [];
    private short[] _quantised = [];
    private float[] _scales = [];
    private int[] _sums = [];

    /// <summary>Values of a row.</summary>
    [Params(576, 2048, 5632)]
    public int Width { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_x, _gain, _y) = (RandomMatrix.Values(Width), RandomMatrix.Values(Width), new float[Width]);
        (_quantised, _scales, _sums) = (new short[Width], new float[Width / Group], new int[Width / Group]);
    }

    [Benchmark]
    public float RmsNorm()
    {
        FloatKernels.Best.RmsNorm(_x, _gain, Epsilon, _y);
        return _y[0];
    }

    /// <summary>The row is copied first, because it is overwritten.</summary>
    [Benchmark]
    public float SwiGlu()
    {
        _x.CopyTo(_y, 0);
        FloatKernels.Best.SwiGlu(_y, _gain);
        return _y[0];
    }

    /// <inheritdoc cref="SwiGlu"/>
    [Benchmark]
    public float Softmax()
    {
        _x.CopyTo(_y, 0);
        FloatKernels.Best.Softmax(_y);
        return _y[0];
    }

    [Benchmark]
    public float Quantise()
    {
        fixed (float* x = _x, scales = _scales)
        fixed (short* quantised = _quantised)
        fixed (int* sums = _sums)
        {
            ActivationQuantizer.Quantise(x, Width, Group, quantised, scales, sums);
            return scales[0];
        }
    }

    long IReadsMemory.BytesOf(string benchmark) => benchmark is nameof(RmsNorm) or nameof(SwiGlu) ? 2L * Width * sizeof(float) : (long)Width * sizeof(float);
}
