using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>
/// Causal attention of all rows of a batch to the caches of their sessions (Vaswani et al., "Attention Is All You Need",
/// 2017; grouped queries: Ainslie et al., "GQA", 2023). One iteration is one key/value head of one row; it sees the
/// positions up to its own, and with a sliding window only the last of these.
/// </summary>
internal sealed unsafe class AttentionWork : IParallelWork
{
    private readonly ModelShape _shape;
    private readonly float _scale;
    private float[]?[] _scores = []; // one for each thread: [positions of whole pages]

    public AttentionWork(ModelShape shape) => (_shape, _scale) = (shape, (float)(1 / Math.Sqrt(shape.HeadSize)));

    /// <summary>The caches of the batch's steps.</summary>
    public KvCache[] Caches { get; private set; } = [];

    /// <summary>The layer, counted from the range's first.</summary>
    public int Layer { get; set; }

    /// <summary>The buffers with the rows' queries and for their results.</summary>
    public required RunState State { get; init; }

    /// <summary>Takes the caches of a batch, in which they have room, and makes scratch memory for a team's threads.</summary>
    public void Begin(ReadOnlySpan<ShardStep> steps, int threads)
    {
        if (Caches.Length < steps.Length)
        {
            Caches = new KvCache[steps.Length];
        }

        var positions = 0;
        for (var i = 0; i < steps.Length; i++)
        {
            Caches[i] = steps[i].Cache;
            positions = Math.Max(positions, steps[i].Cache.Length + steps[i].Count);
        }

        // A window touches one page more than it fills.
        var pages = (Math.Min(positions, (long)(_shape.SlidingWindow ?? positions) + KvCache.PagePositions) + KvCache.PagePositions - 1) / KvCache.PagePositions + 1;
        if (_scores.Length < threads || _scores[0]!.Length < pages * KvCache.PagePositions)
        {
            // Twice what is needed now: a growing session comes back for more only as often as it doubles.
            _scores = new float[threads][];
            for (var thread = 0; thread < threads; thread++)
            {
                _scores[thread] = new float[2 * pages * KvCache.PagePositions];
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
            Attend(i / _shape.KeyValueHeads, i % _shape.KeyValueHeads, scores);
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

    private void Attend(int row, int keyValueHead, float[] buffer)
    {
        const int Page = KvCache.PagePositions;
        var (size, group) = (_shape.HeadSize, _shape.Heads / _shape.KeyValueHeads);
        var cache = Caches[State.StepOf[row]];
        var end = State.PositionOf[row] + 1;
        var first = Math.Max(0, end - (_shape.SlidingWindow ?? end));
        var firstPage = first - first % Page;
        fixed (float* queries = State.Query, outputs = State.Attended, scores = buffer)
        {
            for (var head = keyValueHead * group; head < (keyValueHead + 1) * group; head++)
            {
                var query = queries + ((long)row * _shape.Heads + head) * size;
                var output = outputs + ((long)row * _shape.Heads + head) * size;
                for (var start = firstPage; start < end; start += Page)
                {
                    fixed (float* page = cache.Page(Layer, start))
                    {
                        FloatKernels.Best.Scores(
                            query, page + (long)keyValueHead * size * Page, size, Math.Max(first - start, 0), Math.Min(end - start, Page), _scale, scores + (start - firstPage));
                    }
                }

                FloatKernels.Best.Softmax(buffer.AsSpan(first - firstPage, end - first));
                new Span<float>(output, size).Clear();
                for (var start = firstPage; start < end; start += Page)
                {
                    fixed (float* page = cache.Page(Layer, start))
                    {
                        FloatKernels.Best.Weigh(
                            scores + (start - firstPage), page + cache.ValuesOffset + (long)keyValueHead * size * Page, size, Math.Max(first - start, 0), Math.Min(end - start, Page), output);
                    }
                }
            }
        }
    }
}
