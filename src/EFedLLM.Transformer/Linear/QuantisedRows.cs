using System.Runtime.InteropServices;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>Memory for rows of quantised activations, and the loop that fills it.</summary>
internal sealed unsafe class QuantisedRows : IParallelWork
{
    /// <summary>Below that many values the threads are not worth waking.</summary>
    private const int LeastShared = 16384;

    private short[] _values = [];
    private float[] _scales = [];
    private int[] _sums = [];
    private float* _x;
    private int _inputs;

    /// <summary>Where they are.</summary>
    public ActivationRows Rows { get; private set; }

    /// <summary>Whether <see cref="Fill"/> has filled them since they were last forgotten.</summary>
    public bool IsFilled { get; private set; }

    /// <summary>Forgets the rows.</summary>
    public void Clear() => IsFilled = false;

    /// <summary>Quantises rows, one like the other.</summary>
    /// <param name="x">[rows, inputs].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="inputs">Width of a row.</param>
    /// <param name="group">Values that share a scale.</param>
    /// <param name="team">The threads that share the work.</param>
    public void Fill(float* x, int rows, int inputs, int group, ComputeTeam team)
    {
        Prepare(x, rows, inputs, group);
        if (rows * Rows.Groups * group < LeastShared)
        {
            Run(0, rows);
        }
        else
        {
            team.Run(this, rows);
        }

        _x = null;
        IsFilled = true;
    }

    /// <summary>Makes room and names the rows that <see cref="Run"/> quantises.</summary>
    /// <param name="x">[rows, inputs].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="inputs">Width of a row.</param>
    /// <param name="group">Values that share a scale.</param>
    public void Prepare(float* x, int rows, int inputs, int group)
    {
        var groups = BlockLayout.Groups(inputs, group);
        var values = checked(rows * groups * group);
        if (_values.Length < values)
        {
            _values = GC.AllocateUninitializedArray<short>(values, pinned: true);
        }

        if (_scales.Length < rows * groups)
        {
            _scales = GC.AllocateUninitializedArray<float>(rows * groups, pinned: true);
            _sums = GC.AllocateUninitializedArray<int>(rows * groups, pinned: true);
        }

        Rows = new(
            Marshal.UnsafeAddrOfPinnedArrayElement(_values, 0),
            Marshal.UnsafeAddrOfPinnedArrayElement(_scales, 0),
            Marshal.UnsafeAddrOfPinnedArrayElement(_sums, 0),
            groups,
            group);
        _x = x;
        _inputs = inputs;
    }

    /// <inheritdoc/>
    public void Run(int from, int to)
    {
        for (var row = from; row < to; row++)
        {
            ActivationQuantizer.Quantise(_x + (long)row * _inputs, _inputs, Rows.Group, Rows.ValuesOf(row), Rows.ScalesOf(row), Rows.SumsOf(row));
        }
    }
}
