using System.Runtime.CompilerServices;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>
/// Causal attention of all rows of a batch to the caches of their sessions (Vaswani et al., "Attention Is All You Need",
/// 2017; grouped queries: Ainslie et al., "GQA", 2023). One iteration is one key/value head of a tile: some neighbouring
/// rows of one session, which go through the same pages together: each is read once and widened for all of their queries. A
/// row sees the positions up to its own, and with a sliding window only the last of these.
/// </summary>
internal sealed unsafe class AttentionWork : IParallelWork
{
    private const int Page = KvCache.PagePositions;

    // Queries that share a page at least, where there are as many: more would push each other's scores out of the cache.
    private const int TileQueries = 24;

    private const int CacheLine = 64;

    // Positions in the widest register.
    private const int MostAtOnce = 16;

    private readonly ModelShape _shape;
    private readonly float _scale;
    private readonly int _group; // query heads of a key/value head
    private readonly int _tileRows;
    private float[]?[] _scratch = []; // one for each thread: [head size, positions of a page], [queries of a tile, positions of whole pages]
    private int[] _tiles = []; // [tiles + 1]: the first row of each, and behind them the number of rows
    private int _tileCount;
    private int _positions; // of a query's scores

    public AttentionWork(ModelShape shape)
    {
        (_shape, _scale, _group) = (shape, (float)(1 / Math.Sqrt(shape.HeadSize)), shape.Heads / shape.KeyValueHeads);
        _tileRows = Math.Max(1, TileQueries / _group);
    }

    /// <summary>The caches of the batch's steps.</summary>
    public KvCache[] Caches { get; private set; } = [];

    /// <summary>The layer, counted from the range's first.</summary>
    public int Layer { get; set; }

    /// <summary>The buffers with the rows' queries and for their results.</summary>
    public required RunState State { get; init; }

    /// <summary>Iterations of the batch.</summary>
    public int Count => _tileCount * _shape.KeyValueHeads;

    /// <summary>Takes the caches of a batch, in which they have room, and makes scratch memory for a team's threads.</summary>
    public void Begin(ReadOnlySpan<ShardStep> steps, int threads)
    {
        if (Caches.Length < steps.Length)
        {
            Caches = new KvCache[steps.Length];
        }

        var (positions, tileRows, tiles, row) = (0, 1, 0, 0);
        for (var i = 0; i < steps.Length; i++)
        {
            Caches[i] = steps[i].Cache;
            positions = Math.Max(positions, steps[i].Cache.Length + steps[i].Count);
            tileRows = Math.Max(tileRows, Math.Min(steps[i].Count, _tileRows));
            tiles += (steps[i].Count + _tileRows - 1) / _tileRows;
        }

        if (_tiles.Length <= tiles)
        {
            _tiles = new int[2 * (tiles + 1)];
        }

        _tileCount = 0;
        foreach (var step in steps)
        {
            for (var offset = 0; offset < step.Count; offset += _tileRows)
            {
                _tiles[_tileCount++] = row + offset;
            }

            row += step.Count;
        }

        _tiles[_tileCount] = row;

        // A window touches one page more than it fills, and the windows of a tile's rows begin one after the other.
        var seen = Math.Min(positions, (long)(_shape.SlidingWindow ?? positions) + _tileRows + Page);
        var needed = (int)((seen + Page - 1) / Page + 1) * Page;
        if (_scratch.Length < threads || needed > _positions || ScratchValues(tileRows) > _scratch[0]!.Length)
        {
            // Twice what is needed now: a growing session comes back for more only as often as it doubles.
            _positions = Math.Max(_positions, 2 * needed);
            _scratch = new float[threads][];
            for (var thread = 0; thread < threads; thread++)
            {
                _scratch[thread] = new float[ScratchValues(tileRows)];
            }
        }
    }

    /// <summary>Lets go of the batch's caches.</summary>
    public void End() => Array.Clear(Caches);

    public void Run(int from, int to)
    {
        var scratch = TakeScratch(out var slot);
        for (var i = from; i < to; i++)
        {
            Attend(_tiles[i / _shape.KeyValueHeads], _tiles[i / _shape.KeyValueHeads + 1], i % _shape.KeyValueHeads, scratch);
        }

        Volatile.Write(ref _scratch[slot], scratch);
    }

    /// <summary>With a line more, as arrays do not begin at one.</summary>
    private int ScratchValues(int tileRows) => checked(CacheLine / sizeof(float) + _shape.HeadSize * Page + tileRows * _group * _positions);

    private float[] TakeScratch(out int slot)
    {
        // There are as many as threads, so one is always free.
        for (slot = 0; ; slot = (slot + 1) % _scratch.Length)
        {
            if (Interlocked.Exchange(ref _scratch[slot], null) is { } scratch)
            {
                return scratch;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Attend(int row, int endRow, int keyValueHead, float[] scratch)
    {
        var (size, rowValues) = (_shape.HeadSize, _shape.Heads * _shape.HeadSize);

        // Queries that lie at even distances: the heads of a row, or where there is but one, that of all rows.
        var (runs, count, stride) = _group > 1 ? (endRow - row, _group, size) : (1, endRow - row, rowValues);
        var cache = Caches[State.StepOf[row]];
        var end = State.PositionOf[endRow - 1] + 1;
        var first = FirstSeen(State.PositionOf[row] + 1);
        var firstPage = first - first % Page;
        var pageOffset = (long)keyValueHead * size * Page;
        fixed (float* allQueries = State.Query, allOutputs = State.Attended, buffer = scratch)
        {
            var wide = (float*)(((nint)buffer + CacheLine - 1) & -CacheLine);
            var scores = wide + size * Page;
            var offset = (long)row * rowValues + keyValueHead * _group * size;
            float* queries = allQueries + offset, outputs = allOutputs + offset;
            for (var start = firstPage; start < end; start += Page)
            {
                var (from, to) = (Math.Max(first - start, 0), Math.Min(end - start, Page));
                fixed (Half* page = cache.Page(Layer, start))
                {
                    var column = from - from % MostAtOnce;
                    FloatKernels.Best.Widen(page + pageOffset + column, size, (to - column + MostAtOnce - 1) / MostAtOnce * MostAtOnce, Page, wide + column);
                }

                for (var run = 0; run < runs; run++)
                {
                    FloatKernels.Best.Scores(
                        queries + (long)run * rowValues, count, stride, wide, size, from, to, _scale, Scores(run) + (start - firstPage), _positions);
                }
            }

            for (var run = 0; run < runs; run++)
            {
                for (var i = 0; i < count; i++)
                {
                    var last = EndOf(run, i);
                    var seen = FirstSeen(last);
                    FloatKernels.Best.Softmax(new Span<float>(Scores(run) + (long)i * _positions + (seen - firstPage), last - seen));
                    new Span<float>(outputs + (long)run * rowValues + (long)i * stride, size).Clear();
                }
            }

            for (var start = firstPage; start < end; start += Page)
            {
                fixed (Half* page = cache.Page(Layer, start))
                {
                    var (from, to) = (Math.Max(first - start, 0) * size, Math.Min(end - start, Page) * size);
                    FloatKernels.Best.Widen(page + cache.ValuesOffset + pageOffset + from, 1, to - from, to - from, wide + from);
                }

                for (var run = 0; run < runs; run++)
                {
                    float* weights = Scores(run) + (start - firstPage), output = outputs + (long)run * rowValues;
                    var (from, to) = Seen(run, 0, start);
                    if ((from, to) == Seen(run, count - 1, start))
                    {
                        FloatKernels.Best.Weigh(weights, count, _positions, wide, size, from, to, output, stride);
                        continue;
                    }

                    for (var i = 0; i < count; i++)
                    {
                        (from, to) = Seen(run, i, start);
                        FloatKernels.Best.Weigh(weights + (long)i * _positions, wide, size, from, to, output + (long)i * stride);
                    }
                }
            }

            float* Scores(int run) => scores + (long)run * count * _positions;
        }

        int EndOf(int run, int query) => State.PositionOf[row + (_group > 1 ? run : query)] + 1;

        (int From, int To) Seen(int run, int query, int start)
        {
            var last = EndOf(run, query);
            return (Math.Clamp(FirstSeen(last) - start, 0, Page), Math.Clamp(last - start, 0, Page));
        }
    }

    /// <summary>The first position that the row before a position sees.</summary>
    private int FirstSeen(int end) => Math.Max(0, end - (_shape.SlidingWindow ?? end));
}
