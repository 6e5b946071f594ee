using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>
/// Causal attention of all rows of a batch to the caches of their sessions (Vaswani et al., "Attention Is All You Need",
/// 2017; grouped queries: Ainslie et al., "GQA", 2023). One iteration is one key/value head of a tile: some neighbouring
/// rows of one session, which go through the same pages together while these lie in the cache. A row sees the positions
/// up to its own, and with a sliding window only the last of these.
/// </summary>
internal sealed unsafe class AttentionWork : IParallelWork
{
    private const int Page = KvCache.PagePositions;

    // Queries that share a page at least, where there are as many: more would push each other's scores out of the cache.
    private const int TileQueries = 24;

    private readonly ModelShape _shape;
    private readonly float _scale;
    private readonly int _group; // query heads of a key/value head
    private readonly int _tileRows;
    private float[]?[] _scores = []; // one for each thread: [queries of a tile, positions of whole pages]
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
        if (_scores.Length < threads || needed > _positions || (long)tileRows * _group * _positions > _scores[0]!.Length)
        {
            // Twice what is needed now: a growing session comes back for more only as often as it doubles.
            _positions = Math.Max(_positions, 2 * needed);
            _scores = new float[threads][];
            for (var thread = 0; thread < threads; thread++)
            {
                _scores[thread] = new float[checked(tileRows * _group * _positions)];
            }
        }
    }

    /// <summary>Lets go of the batch's caches.</summary>
    public void End() => Array.Clear(Caches);

    public void Run(int from, int to)
    {
        var scores = TakeScores(out var slot);
        for (var i = from; i < to; i++)
        {
            Attend(_tiles[i / _shape.KeyValueHeads], _tiles[i / _shape.KeyValueHeads + 1], i % _shape.KeyValueHeads, scores);
        }

        Volatile.Write(ref _scores[slot], scores);
    }

    private float[] TakeScores(out int slot)
    {
        // There are as many as threads, so one is always free.
        for (slot = 0; ; slot = (slot + 1) % _scores.Length)
        {
            if (Interlocked.Exchange(ref _scores[slot], null) is { } scores)
            {
                return scores;
            }
        }
    }

    private void Attend(int row, int endRow, int keyValueHead, float[] buffer)
    {
        var (size, count) = (_shape.HeadSize, (endRow - row) * _group);
        var cache = Caches[State.StepOf[row]];
        var end = State.PositionOf[endRow - 1] + 1;
        var first = FirstSeen(State.PositionOf[row] + 1);
        var firstPage = first - first % Page;
        var pageOffset = (long)keyValueHead * size * Page;
        fixed (float* allQueries = State.Query, allOutputs = State.Attended, scores = buffer)
        {
            // Queries of a tile: row by row, the heads of a row one after the other.
            var queries = allQueries + ((long)row * _shape.Heads + keyValueHead * _group) * size;
            var outputs = allOutputs + ((long)row * _shape.Heads + keyValueHead * _group) * size;
            for (var start = firstPage; start < end; start += Page)
            {
                var (from, to) = (Math.Max(first - start, 0), Math.Min(end - start, Page));
                var pageScores = scores + (start - firstPage);
                fixed (float* page = cache.Page(Layer, start))
                {
                    var i = 0;
                    for (; i <= count - 2; i += 2)
                    {
                        FloatKernels.Best.Scores(
                            queries + Offset(i), queries + Offset(i + 1), page + pageOffset, size, from, to, _scale, pageScores + (long)i * _positions, pageScores + (long)(i + 1) * _positions);
                    }

                    if (i < count)
                    {
                        FloatKernels.Best.Scores(queries + Offset(i), page + pageOffset, size, from, to, _scale, pageScores + (long)i * _positions);
                    }
                }
            }

            for (var i = 0; i < count; i++)
            {
                var last = EndOf(i);
                var seen = FirstSeen(last);
                FloatKernels.Best.Softmax(buffer.AsSpan(i * _positions + seen - firstPage, last - seen));
                new Span<float>(outputs + Offset(i), size).Clear();
            }

            for (var start = firstPage; start < end; start += Page)
            {
                var pageScores = scores + (start - firstPage);
                fixed (float* page = cache.Page(Layer, start))
                {
                    var values = page + cache.ValuesOffset + pageOffset;
                    var i = 0;
                    for (; i <= count - 2; i += 2)
                    {
                        float* weights = pageScores + (long)i * _positions, others = weights + _positions;
                        float* output = outputs + Offset(i), other = outputs + Offset(i + 1);
                        var ((from, to), (otherFrom, otherTo)) = (Seen(i, start), Seen(i + 1, start));
                        var (bothFrom, bothTo) = (Math.Max(from, otherFrom), Math.Min(to, otherTo));
                        if (bothFrom >= bothTo)
                        {
                            FloatKernels.Best.Weigh(weights, values, size, from, to, output);
                            FloatKernels.Best.Weigh(others, values, size, otherFrom, otherTo, other);
                            continue;
                        }

                        FloatKernels.Best.Weigh(weights, values, size, from, bothFrom, output);
                        FloatKernels.Best.Weigh(others, values, size, otherFrom, bothFrom, other);
                        FloatKernels.Best.Weigh(weights, others, values, size, bothFrom, bothTo, output, other);
                        FloatKernels.Best.Weigh(weights, values, size, bothTo, to, output);
                        FloatKernels.Best.Weigh(others, values, size, bothTo, otherTo, other);
                    }

                    if (i < count)
                    {
                        var (from, to) = Seen(i, start);
                        FloatKernels.Best.Weigh(pageScores + (long)i * _positions, values, size, from, to, outputs + Offset(i));
                    }
                }
            }
        }

        long Offset(int query) => ((long)(query / _group) * _shape.Heads + query % _group) * size;

        int EndOf(int query) => State.PositionOf[row + query / _group] + 1;

        (int From, int To) Seen(int query, int start)
        {
            var last = EndOf(query);
            return (Math.Clamp(FirstSeen(last) - start, 0, Page), Math.Clamp(last - start, 0, Page));
        }
    }

    /// <summary>The first position that the row before a position sees.</summary>
    private int FirstSeen(int end) => Math.Max(0, end - (_shape.SlidingWindow ?? end));
}
