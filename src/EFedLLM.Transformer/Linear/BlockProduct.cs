using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>
/// y = A·a, or A·a + B·b in one accumulator, + bias, for rows of quantised activations: a loop over blocks of rows of
/// the matrices, so that each weight is read once for some tokens, by one thread.
/// </summary>
internal sealed unsafe class BlockProduct : IParallelWork
{
    /// <summary>Rows of the matrices that are computed at once: as many as give memory enough to do, and a core's cache keeps between the tiles of tokens.</summary>
    private const int WindowRows = 64;

    /// <summary>Blocks that a thread takes at least, so that tiles of several blocks are the rule.</summary>
    private const int BlocksPerItem = 2;

    /// <summary>Below that many products the threads are not worth waking.</summary>
    private const long LeastShared = 1 << 15;

    private WeightBlocks _first;
    private ActivationRows _firstInput;
    private WeightBlocks? _second;
    private ActivationRows _secondInput;
    private float[]? _bias;
    private float* _y;
    private int _outputs;
    private int _tokens;
    private KernelWidth _width;

    /// <summary>Computes the product.</summary>
    /// <param name="first">The matrix whose groups come first.</param>
    /// <param name="firstInput">Its input.</param>
    /// <param name="second">The matrix whose groups come then, with as many rows, or null.</param>
    /// <param name="secondInput">Its input.</param>
    /// <param name="bias">[outputs], added last, or null.</param>
    /// <param name="outputs">Rows of the matrices.</param>
    /// <param name="tokens">Rows of the activations.</param>
    /// <param name="y">[tokens, outputs], overwritten.</param>
    /// <param name="team">The threads that share the work.</param>
    /// <param name="width">The registers to use.</param>
    public void Compute(
        WeightBlocks first,
        ActivationRows firstInput,
        WeightBlocks? second,
        ActivationRows secondInput,
        float[]? bias,
        int outputs,
        int tokens,
        float* y,
        ComputeTeam team,
        KernelWidth width)
    {
        (_first, _firstInput, _second, _secondInput, _bias) = (first, firstInput, second, secondInput, bias);
        (_outputs, _tokens, _width) = (outputs, tokens, width);
        _y = y;
        var items = (BlockLayout.Blocks(outputs) + BlocksPerItem - 1) / BlocksPerItem;
        if ((long)outputs * tokens * (first.Width + (second?.Width ?? 0)) < LeastShared)
        {
            Run(0, items);
        }
        else
        {
            team.Run(this, items);
        }

        _y = null;
        _bias = null;
    }

    /// <inheritdoc/>
    [SkipLocalsInit]
    public void Run(int from, int to)
    {
        var results = stackalloc float[GroupDot.MostTokens * WindowRows];
        var end = Math.Min(to * BlocksPerItem, BlockLayout.Blocks(_outputs)) * BlockLayout.Rows;
        for (var row = from * BlocksPerItem * BlockLayout.Rows; row < end; row += WindowRows)
        {
            var rows = Math.Min(WindowRows, end - row);
            for (var token = 0; token < _tokens; token += GroupDot.MostTokens)
            {
                var tokens = Math.Min(GroupDot.MostTokens, _tokens - token);
                new Span<float>(results, tokens * rows).Clear();
                GroupDot.Add(_width, _first, row, rows, _firstInput, token, tokens, results);
                if (_second is { } second)
                {
                    GroupDot.Add(_width, second, row, rows, _secondInput, token, tokens, results);
                }

                for (var i = 0; i < tokens; i++)
                {
                    Finish(results + i * rows, row, Math.Min(rows, _outputs - row), _y + (long)(token + i) * _outputs + row);
                }
            }
        }
    }

    /// <summary>Adds the bias, and makes every NaN the same one: processors differ in the ones they make.</summary>
    private void Finish(float* results, int row, int count, float* y)
    {
        var i = 0;
        var notANumber = Vector256.Create(ActivationQuantizer.NotANumber);
        for (; i <= count - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            var result = Vector256.Load(results + i);
            result = _bias is null ? result : result + Vector256.Create(_bias, row + i);
            Vector256.ConditionalSelect(Vector256.Equals(result, result), result, notANumber).Store(y + i);
        }

        for (; i < count; i++)
        {
            var result = _bias is null ? results[i] : results[i] + _bias[row + i];
            y[i] = float.IsNaN(result) ? ActivationQuantizer.NotANumber : result;
        }
    }
}
