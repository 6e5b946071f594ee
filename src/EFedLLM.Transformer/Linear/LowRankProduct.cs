using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>
/// V·x for some rows of x, quantised for the product with U: memory, and a loop of independent parts. Whoever does the
/// last part quantises; others may wait for that, or do first what does not need it.
/// </summary>
internal sealed unsafe class LowRankProduct : IParallelWork
{
    /// <summary>Rows of V in a part: one tile of the kernels.</summary>
    private const int PartRows = 32;

    /// <summary>Rows of x in a part: V is small, so that threads would have too little to share if they did not share the rows.</summary>
    private const int PartTokens = 32;

    private readonly QuantisedRows _quantised = new();
    private BlockMatrix? _v;
    private ActivationRows _x;
    private float[] _product = [];
    private int _tokens;
    private int _rowParts;
    private KernelWidth _width;
    private int _unfinished;
    private bool _ready;

    /// <summary>Number of parts.</summary>
    public int Parts { get; private set; }

    /// <summary>Products of two numbers that all parts take together.</summary>
    public long Work => (long)_tokens * _v!.Outputs * _x.Groups * _x.Group;

    /// <summary>Whether everything is computed, so that <see cref="Rows"/> may be used.</summary>
    public bool IsReady => Volatile.Read(ref _ready);

    /// <summary>V·x, [rows of x, rank], quantised.</summary>
    public ActivationRows Rows => _quantised.Rows;

    /// <summary>Whether this is a product with that V, for a U of that group.</summary>
    public bool IsOf(BlockMatrix v, int group) => ReferenceEquals(_v, v) && _quantised.Rows.Group == group;

    /// <summary>Forgets V.</summary>
    public void Clear() => (_v, _ready) = (null, false);

    /// <summary>Names what is to be computed and makes room.</summary>
    /// <param name="v">V, [rank, inputs].</param>
    /// <param name="x">x, quantised in V's groups.</param>
    /// <param name="tokens">Rows of x.</param>
    /// <param name="group">Values of V·x that share a scale; divides the rank.</param>
    /// <param name="width">The registers to use.</param>
    public void Begin(BlockMatrix v, ActivationRows x, int tokens, int group, KernelWidth width)
    {
        var length = checked(tokens * v.Outputs);
        if (_product.Length < length)
        {
            _product = GC.AllocateUninitializedArray<float>(length, pinned: true);
        }

        (_v, _x, _tokens, _width) = (v, x, tokens, width);
        _quantised.Prepare((float*)Marshal.UnsafeAddrOfPinnedArrayElement(_product, 0), tokens, v.Outputs, group);
        _rowParts = (v.Outputs + PartRows - 1) / PartRows;
        Parts = checked(_rowParts * ((tokens + PartTokens - 1) / PartTokens));
        (_unfinished, _ready) = (Parts, false);
    }

    /// <summary>Computes everything that is not computed yet.</summary>
    /// <param name="team">The threads that share the work.</param>
    public void Complete(ComputeTeam team)
    {
        if (IsReady)
        {
            return;
        }

        if (Work < BlockProduct.LeastShared)
        {
            Run(0, Parts);
        }
        else
        {
            team.Run(this, Parts);
        }
    }

    /// <summary>Waits for the threads that compute the last parts. Every part must have been begun.</summary>
    public void Wait()
    {
        var spin = new SpinWait();
        while (!IsReady)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <inheritdoc/>
    public void Run(int from, int to)
    {
        for (var part = from; part < to;)
        {
            // Neighbouring rows of V go through the kernels together.
            var first = part % _rowParts;
            var count = Math.Min(to - part, _rowParts - first);
            var token = part / _rowParts * PartTokens;
            Compute(first * PartRows, Math.Min((first + count) * PartRows, _v!.Outputs), token, Math.Min(token + PartTokens, _tokens));
            part += count;
        }

        if (Interlocked.Add(ref _unfinished, from - to) == 0)
        {
            _quantised.Run(0, _tokens);
            Volatile.Write(ref _ready, true);
        }
    }

    [SkipLocalsInit]
    private void Compute(int firstRow, int endRow, int firstToken, int endToken)
    {
        var results = stackalloc float[GroupDot.MostResults];
        var (matrix, rank) = (_v!.Blocks, _v.Outputs);
        var product = (float*)Marshal.UnsafeAddrOfPinnedArrayElement(_product, 0);
        var window = Blocking.Here.WindowRows(matrix.RowBytes);
        for (var row = firstRow; row < endRow; row += window)
        {
            var rows = Math.Min(window, endRow - row);
            var most = GroupDot.TokensAtOnce(matrix.Bits, rows, endToken - firstToken);
            for (var token = firstToken; token < endToken; token += most)
            {
                var tokens = Math.Min(most, endToken - token);
                new Span<float>(results, tokens * rows).Clear();
                GroupDot.Add(_width, matrix, row, rows, _x, token, tokens, results);
                for (var i = 0; i < tokens; i++)
                {
                    BlockProduct.Finish(results + i * rows, null, rows, product + (long)(token + i) * rank + row);
                }
            }
        }
    }
}
