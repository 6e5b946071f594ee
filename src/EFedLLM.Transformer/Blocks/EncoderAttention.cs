using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>
/// Attention of every position of a sequence to all of them (Vaswani et al., "Attention Is All You Need", 2017), the
/// sequences of a batch each by themselves. One iteration is one row: first to put its key and value into pages, then to attend.
/// </summary>
internal sealed unsafe class EncoderAttention(ModelShape shape, EncoderState state) : IParallelWork
{
    private const int Page = FloatKernels.PagePositions;

    // Below so many multiplications, waking threads takes longer than the work.
    private const long SmallWork = 1 << 15;

    private readonly float _scale = (float)(1 / Math.Sqrt(shape.HeadSize));
    private float[]?[] _scores = []; // one for each thread: [positions of whole pages]
    private bool _isStoring;

    /// <summary>Attended = attention(Query, Key, Value), each [rows, heads, head size].</summary>
    public void Attend(int rows, ComputeTeam team)
    {
        var (longest, work) = (0, 0L);
        for (var row = 0; row < rows; row++)
        {
            var count = state.CountOf[state.StepOf[row]];
            (longest, work) = (Math.Max(longest, count), work + (long)count * shape.HiddenSize);
        }

        ReserveScores(team.Threads, (longest + Page - 1) / Page * Page);
        Share(isStoring: true, rows, work, team);
        Share(isStoring: false, rows, work, team);
    }

    public void Run(int from, int to)
    {
        if (_isStoring)
        {
            for (var row = from; row < to; row++)
            {
                Store(row);
            }

            return;
        }

        var scores = TakeScores(out var slot);
        for (var row = from; row < to; row++)
        {
            for (var head = 0; head < shape.Heads; head++)
            {
                Attend(row, head, scores);
            }
        }

        Volatile.Write(ref _scores[slot], scores);
    }

    private void Share(bool isStoring, int rows, long work, ComputeTeam team)
    {
        _isStoring = isStoring;
        if (work < SmallWork)
        {
            Run(0, rows);
        }
        else
        {
            team.Run(this, rows);
        }
    }

    private void ReserveScores(int threads, int positions)
    {
        if (_scores.Length < threads || _scores[0]!.Length < positions)
        {
            _scores = new float[threads][];
            for (var thread = 0; thread < threads; thread++)
            {
                _scores[thread] = new float[positions];
            }
        }
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

    private void Store(int row)
    {
        var (size, hidden) = (shape.HeadSize, shape.HiddenSize);
        var position = state.PositionOf[row];
        var page = (long)(state.FirstPageOf[state.StepOf[row]] + position / Page) * hidden * Page;
        var column = position % Page;
        var key = state.Key.AsSpan(row * hidden, hidden);
        for (var i = 0; i < hidden; i++)
        {
            state.KeyPages[page + (long)i * Page + column] = key[i];
        }

        for (var head = 0; head < shape.Heads; head++)
        {
            state.Value.AsSpan(row * hidden + head * size, size).CopyTo(state.ValuePages.AsSpan((int)(page + (head * Page + column) * size), size));
        }
    }

    private void Attend(int row, int head, float[] buffer)
    {
        var (size, hidden) = (shape.HeadSize, shape.HiddenSize);
        var step = state.StepOf[row];
        var count = state.CountOf[step];
        var first = (long)state.FirstPageOf[step] * hidden * Page + (long)head * size * Page;
        fixed (float* queries = state.Query, keys = state.KeyPages, values = state.ValuePages, outputs = state.Attended, scores = buffer)
        {
            var query = queries + (long)row * hidden + head * size;
            var output = outputs + (long)row * hidden + head * size;
            for (var start = 0; start < count; start += Page)
            {
                FloatKernels.Best.Scores(query, keys + first + (long)start * hidden, size, 0, Math.Min(count - start, Page), _scale, scores + start);
            }

            FloatKernels.Best.Softmax(buffer.AsSpan(0, count));
            new Span<float>(output, size).Clear();
            for (var start = 0; start < count; start += Page)
            {
                FloatKernels.Best.Weigh(scores + start, values + first + (long)start * hidden, size, 0, Math.Min(count - start, Page), output);
            }
        }
    }
}
