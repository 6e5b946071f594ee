using BenchmarkDotNet.Attributes;
using EFedLLM.Compression;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Benchmarks;

/// <summary>
/// Attention of one token to a session of many positions, in all layers of a model, on one thread: with the cache as it is, of halves, and with
/// one of float32, whose pages the same kernels read where they lie. So many sessions are visited in turn that the pages come from memory, as
/// they do where a step reads the weights between them.
/// </summary>
[ShortRunJob]
public unsafe class AttentionBenchmarks
{
    private const int Page = KvCache.PagePositions;
    private const long WorkingSet = 192L << 20;

    private ModelShape _shape = null!;
    private AttentionWork _work = null!;
    private RunState _state = null!;
    private KvCache[] _caches = [];
    private float[][] _pages = []; // [session, layer, page]: [2 (key, value), key/value heads, values of a page]
    private float[] _scores = [];
    private ShardStep _step = null!;
    private int _next;

    /// <summary>Which model's heads and layers.</summary>
    [Params("135m", "1b")]
    public string Shape { get; set; } = "";

    /// <summary>Positions of the session.</summary>
    [Params(128, 1000, 2000)]
    public int Positions { get; set; }

    private int PagesOfLayer => (Positions + Page - 1) / Page;

    private int HeadValues => _shape.HeadSize * Page;

    [GlobalSetup]
    public void Setup()
    {
        _shape = KnownShapes.Find(Shape);
        var random = new Random(1);
        _state = new RunState(_shape, true);
        _state.Reserve(1, 0, 0);
        _work = new AttentionWork(_shape) { State = _state };
        (_state.StepOf[0], _state.PositionOf[0]) = (0, Positions - 1);
        for (var i = 0; i < _state.Query.Length; i++)
        {
            _state.Query[i] = random.NextSingle() - 0.5f;
        }

        var range = new LayerRange(1, _shape.Layers + 1);
        var sessions = (int)(WorkingSet / KvCache.BytesFor(_shape, range, Positions)) + 1;
        _caches = [.. Enumerable.Range(0, sessions).Select(_ => new KvCache(_shape, range, Positions + 1))];
        var row = new Half[_caches[0].PositionValues];
        for (var position = 0; position < Positions; position++)
        {
            for (var i = 0; i < row.Length; i++)
            {
                row[i] = (Half)(random.NextSingle() - 0.5f);
            }

            foreach (var cache in _caches)
            {
                cache.Import(0, row);
            }
        }

        _step = new ShardStep { Cache = _caches[0], Count = 1 };
        _work.Begin([_step], 1);
        _scores = new float[_shape.Heads / _shape.KeyValueHeads * PagesOfLayer * Page];
        _pages = [.. Enumerable.Range(0, sessions / 2 * _shape.Layers * PagesOfLayer).Select(_ => new float[2 * _shape.KeyValueHeads * HeadValues])];
        for (var page = 0; page < _pages.Length; page++)
        {
            var (layer, start) = (page / PagesOfLayer % _shape.Layers, page % PagesOfLayer * Page);
            fixed (Half* halves = _caches[0].Page(layer, start))
            {
                fixed (float* floats = _pages[page])
                {
                    FloatKernels.Best.Widen(halves, 1, _pages[page].Length, _pages[page].Length, floats);
                }
            }
        }

        Check();
    }

    [Benchmark(Baseline = true)]
    public float Float32()
    {
        _next = (_next + 1) % (_pages.Length / (_shape.Layers * PagesOfLayer));
        for (var layer = 0; layer < _shape.Layers; layer++)
        {
            for (var head = 0; head < _shape.KeyValueHeads; head++)
            {
                Attend((_next * _shape.Layers + layer) * PagesOfLayer, head);
            }
        }

        return _state.Attended[0];
    }

    [Benchmark]
    public float Float16()
    {
        _next = (_next + 1) % _caches.Length;
        _work.Caches[0] = _caches[_next];
        for (var layer = 0; layer < _shape.Layers; layer++)
        {
            _work.Layer = layer;
            _work.Run(0, _work.Count);
        }

        return _state.Attended[0];
    }

    private void Attend(int firstPage, int head)
    {
        var (size, group, stride) = (_shape.HeadSize, _shape.Heads / _shape.KeyValueHeads, PagesOfLayer * Page);
        fixed (float* allQueries = _state.Query, allOutputs = _state.Attended, scores = _scores)
        {
            float* queries = allQueries + head * group * size, outputs = allOutputs + head * group * size;
            for (var start = 0; start < Positions; start += Page)
            {
                var count = Math.Min(Positions - start, Page);
                fixed (float* page = _pages[firstPage + start / Page])
                {
                    var keys = page + head * HeadValues;
                    FloatKernels.Best.Scores(queries, group, size, keys, size, 0, count, (float)(1 / Math.Sqrt(size)), scores + start, stride);
                }
            }

            for (var i = 0; i < group; i++)
            {
                FloatKernels.Best.Softmax(_scores.AsSpan(i * stride, Positions));
            }

            new Span<float>(outputs, group * size).Clear();
            for (var start = 0; start < Positions; start += Page)
            {
                var count = Math.Min(Positions - start, Page);
                fixed (float* page = _pages[firstPage + start / Page])
                {
                    var values = page + (_shape.KeyValueHeads + head) * HeadValues;
                    FloatKernels.Best.Weigh(scores + start, group, stride, values, size, 0, count, outputs, size);
                }
            }
        }
    }

    /// <summary>Both give the same bits, as the float32 pages hold what the halves do.</summary>
    private void Check()
    {
        Float32();
        var last = _state.Attended.ToArray();
        Float16();
        if (!last.AsSpan().SequenceEqual(_state.Attended))
        {
            throw new InvalidOperationException("The two forms of the cache do not give the same bits.");
        }
    }
}
