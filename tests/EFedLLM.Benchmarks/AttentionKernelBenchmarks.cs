using BenchmarkDotNet.Attributes;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Benchmarks;

/// <summary>The kernels of attention over pages of keys and values of one head: one query, and three that share a page. Many pages come from memory, one from a cache.</summary>
[ShortRunJob]
[BandwidthColumns]
public unsafe class AttentionKernelBenchmarks : IReadsMemory
{
    private const int HeadSize = 64;
    private const int PageValues = HeadSize * FloatKernels.PagePositions;
    private const int Queries = 3;
    private const float Scale = 0.125f;

    private float[] _pages = [];
    private float[] _queries = [];
    private float[] _scores = [];
    private float[] _outputs = [];

    /// <summary>Pages that one call passes over: 16 kB, and 128 MB of them.</summary>
    [Params(1, 8192)]
    public int Pages { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _pages = GC.AllocateUninitializedArray<float>(Pages * PageValues, pinned: true);
        RandomMatrix.Values(PageValues).CopyTo(_pages, 0);
        for (var page = 1; page < Pages; page++)
        {
            _pages.AsSpan(0, PageValues).CopyTo(_pages.AsSpan(page * PageValues));
        }

        (_queries, _outputs) = (RandomMatrix.Values(Queries * HeadSize), new float[Queries * HeadSize]);
        _scores = RandomMatrix.Values(Queries * FloatKernels.PagePositions);
    }

    [Benchmark]
    public float Scores()
    {
        fixed (float* query = _queries, pages = _pages, scores = _scores)
        {
            for (var page = 0; page < Pages; page++)
            {
                FloatKernels.Best.Scores(query, pages + (long)page * PageValues, HeadSize, 0, FloatKernels.PagePositions, Scale, scores);
            }

            return scores[0];
        }
    }

    [Benchmark]
    public float ScoresOfThree()
    {
        fixed (float* query = _queries, pages = _pages, scores = _scores)
        {
            for (var page = 0; page < Pages; page++)
            {
                FloatKernels.Best.Scores(
                    query, Queries, HeadSize, pages + (long)page * PageValues, HeadSize, 0, FloatKernels.PagePositions, Scale, scores, FloatKernels.PagePositions);
            }

            return scores[0];
        }
    }

    [Benchmark]
    public float Weigh()
    {
        fixed (float* weights = _scores, pages = _pages, output = _outputs)
        {
            new Span<float>(output, HeadSize).Clear();
            for (var page = 0; page < Pages; page++)
            {
                FloatKernels.Best.Weigh(weights, pages + (long)page * PageValues, HeadSize, 0, FloatKernels.PagePositions, output);
            }

            return output[0];
        }
    }

    [Benchmark]
    public float WeighOfThree()
    {
        fixed (float* weights = _scores, pages = _pages, output = _outputs)
        {
            new Span<float>(output, Queries * HeadSize).Clear();
            for (var page = 0; page < Pages; page++)
            {
                FloatKernels.Best.Weigh(
                    weights, Queries, FloatKernels.PagePositions, pages + (long)page * PageValues, HeadSize, 0, FloatKernels.PagePositions, output, HeadSize);
            }

            return output[0];
        }
    }

    long IReadsMemory.BytesOf(string benchmark) => (long)Pages * PageValues * sizeof(float);
}
