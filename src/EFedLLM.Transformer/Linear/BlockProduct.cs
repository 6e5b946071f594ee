using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>
/// y = B·x, or B·x + U·(V·x) in one accumulator, + bias, for rows of quantised activations: a loop over blocks of rows of
/// the matrices, so that each weight is read once for some tokens, by one thread. Where V·x is still to be computed, its
/// parts are the first of the same loop: while some threads are at it, others begin with B, and nobody waits twice.
/// </summary>
internal sealed unsafe class BlockProduct : IParallelWork
{
    /// <summary>Below that many products the threads are not worth waking.</summary>
    public const long LeastShared = 1 << 15;

    private const int CacheLine = 64;

    /// <summary>Larger tiles of U are foreseen by the processor once it is at them.</summary>
    private const long MostFetched = 16 << 10;

    /// <summary>Blocks that a thread takes at least, so that tiles of several blocks are the rule.</summary>
    private const int BlocksPerItem = 2;

    private WeightBlocks _first;
    private ActivationRows _firstInput;
    private WeightBlocks _second;
    private LowRankProduct? _secondInput;
    private int _parts;
    private float[]? _bias;
    private float* _y;
    private int _outputs;
    private int _tokens;
    private KernelWidth _width;

    /// <summary>Iterations of the loop.</summary>
    public int Items => _parts + (BlockLayout.Blocks(_outputs) + BlocksPerItem - 1) / BlocksPerItem;

    /// <summary>Products of two numbers that all iterations take together.</summary>
    public long Work { get; private set; }

    /// <summary>Names what is to be computed.</summary>
    /// <param name="first">The matrix whose groups come first.</param>
    /// <param name="firstInput">Its input.</param>
    /// <param name="second">The matrix whose groups come then, with as many rows; unused without an input.</param>
    /// <param name="secondInput">Its input, or null.</param>
    /// <param name="computesInput">Whether that input is computed here; else it is ready, or an earlier product of the same loop computes it.</param>
    /// <param name="bias">[outputs], added last, or null.</param>
    /// <param name="outputs">Rows of the matrices.</param>
    /// <param name="tokens">Rows of the activations.</param>
    /// <param name="y">[tokens, outputs], overwritten.</param>
    /// <param name="width">The registers to use.</param>
    public void Begin(
        WeightBlocks first,
        ActivationRows firstInput,
        WeightBlocks second,
        LowRankProduct? secondInput,
        bool computesInput,
        float[]? bias,
        int outputs,
        int tokens,
        float* y,
        KernelWidth width)
    {
        (_first, _firstInput, _second, _secondInput, _bias) = (first, firstInput, second, secondInput, bias);
        (_outputs, _tokens, _width) = (outputs, tokens, width);
        _y = y;
        _parts = computesInput ? secondInput!.Parts : 0;
        Work = (long)outputs * tokens * (first.Width + (secondInput is null ? 0 : second.Width)) + (computesInput ? secondInput!.Work : 0);
    }

    /// <summary>Forgets what was to be computed, and what holds memory of others.</summary>
    public void End()
    {
        _y = null;
        (_bias, _secondInput) = (null, null);
    }

    /// <summary>Adds the bias, and makes every NaN the same one: processors differ in the ones they make.</summary>
    /// <param name="results">[count].</param>
    /// <param name="bias">[count], or null.</param>
    /// <param name="count">How many.</param>
    /// <param name="y">[count], overwritten.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Finish(float* results, float* bias, int count, float* y)
    {
        var i = 0;
        var notANumber = Vector256.Create(ActivationQuantizer.NotANumber);
        for (; i <= count - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            var result = Vector256.Load(results + i);
            result = bias is null ? result : result + Vector256.Load(bias + i);
            Vector256.ConditionalSelect(Vector256.Equals(result, result), result, notANumber).Store(y + i);
        }

        for (; i < count; i++)
        {
            var result = bias is null ? results[i] : results[i] + bias[i];
            y[i] = float.IsNaN(result) ? ActivationQuantizer.NotANumber : result;
        }
    }

    /// <inheritdoc/>
    public void Run(int from, int to)
    {
        if (from < _parts)
        {
            _secondInput!.Run(from, Math.Min(to, _parts));
        }

        if (to > _parts)
        {
            var first = Math.Max(from - _parts, 0) * BlocksPerItem;
            Add(first * BlockLayout.Rows, Math.Min((to - _parts) * BlocksPerItem, BlockLayout.Blocks(_outputs)) * BlockLayout.Rows);
        }
    }

    /// <summary>Computes some outputs.</summary>
    private void Add(int firstRow, int endRow)
    {
        // So few tokens that one tile takes them all pass over a row once: then the fewer turns between B and U, the better memory is kept busy.
        var window = _tokens > GroupDot.MostTokens ? Blocking.Here.WindowRows(_first.RowBytes) : Blocking.MostWindowRows;

        // What needs no V·x goes ahead while another thread computes that; y keeps the accumulators until then.
        var row = firstRow;
        for (; row < endRow && _secondInput is { IsReady: false }; row += window)
        {
            AddWindow(row, Math.Min(window, endRow - row), Part.First);
        }

        if (row > firstRow)
        {
            _secondInput!.Wait();
            for (var waiting = firstRow; waiting < row; waiting += window)
            {
                AddWindow(waiting, Math.Min(window, endRow - waiting), Part.Second);
            }
        }

        for (; row < endRow; row += window)
        {
            var rows = Math.Min(window, endRow - row);
            if (_secondInput is not null)
            {
                Fetch(_second, row, rows);
            }

            AddWindow(row, rows, Part.Both);
        }
    }

    /// <summary>
    /// Asks for some rows of U long before they are needed: they are so few bytes between two tiles of B that no processor
    /// foresees them, and would each time be waited for.
    /// </summary>
    private static void Fetch(WeightBlocks matrix, int row, int rows)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        var block = row / BlockLayout.Rows;
        var blocks = rows / BlockLayout.Rows;
        var weights = (byte*)matrix.Weights + block * matrix.BlockBytes;
        var bytes = Math.Min(blocks * matrix.BlockBytes, MostFetched);
        for (var at = 0L; at < bytes; at += CacheLine)
        {
            Sse.Prefetch1(weights + at);
        }

        var scaleBytes = BlockLayout.Rows * sizeof(ushort) * (long)matrix.Groups;
        var scales = (byte*)matrix.Scales + block * scaleBytes;
        bytes = Math.Min(blocks * scaleBytes, MostFetched);
        for (var at = 0L; at < bytes; at += CacheLine)
        {
            Sse.Prefetch1(scales + at);
        }
    }

    [SkipLocalsInit]
    private void AddWindow(int row, int rows, Part part)
    {
        var results = stackalloc float[GroupDot.MostResults];
        var most = GroupDot.TokensAtOnce(_first.Bits, rows, _tokens);
        var present = Math.Min(rows, _outputs - row); // the rest fills the last block up
        for (var token = 0; token < _tokens; token += most)
        {
            var tokens = Math.Min(most, _tokens - token);
            var y = _y + (long)token * _outputs + row;
            new Span<float>(results, tokens * rows).Clear();
            if (part == Part.Second)
            {
                Copy(y, _outputs, results, rows, present, tokens);
            }
            else
            {
                GroupDot.Add(_width, _first, row, rows, _firstInput, token, tokens, results);
            }

            if (part == Part.First)
            {
                Copy(results, rows, y, _outputs, present, tokens);
                continue;
            }

            if (_secondInput is { } second)
            {
                GroupDot.Add(_width, _second, row, rows, second.Rows, token, tokens, results);
            }

            fixed (float* bias = _bias)
            {
                for (var i = 0; i < tokens; i++)
                {
                    Finish(results + i * rows, bias is null ? null : bias + row, present, y + (long)i * _outputs);
                }
            }
        }
    }

    private static void Copy(float* source, int sourceStride, float* target, int targetStride, int count, int rows)
    {
        for (var i = 0; i < rows; i++)
        {
            new ReadOnlySpan<float>(source + (long)i * sourceStride, count).CopyTo(new Span<float>(target + (long)i * targetStride, count));
        }
    }

    /// <summary>Which matrices a pass over some outputs adds.</summary>
    private enum Part
    {
        Both,
        First,
        Second,
    }
}
