using BenchmarkDotNet.Attributes;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Benchmarks;

/// <summary>
/// What it costs that every processor comes to the same bits: the served kernel, whose sums have one order, against one whose sums have
/// whatever order is fast (<see cref="FreeOrderDot"/>), for one token and one thread, as in decoding. So many copies are visited in turn that
/// the weights come from memory, as in a model. Both take the same activations, already quantised.
/// </summary>
public unsafe class DeterminismBenchmarks
{
    private const long WorkingSet = 128L << 20;

    private readonly QuantisedRows _rows = new();
    private BlockMatrix[] _matrices = [];
    private ComputeTeam? _team;
    private float[] _x = [];
    private float[] _y = [];
    private int _outputs;
    private int _next;

    /// <summary>Outputs x inputs: matrices of models of 135 million and of a billion parameters.</summary>
    [Params("576x576", "1536x576", "2048x2048", "5632x2048")]
    public string Shape { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        var parts = Shape.Split('x').Select(int.Parse).ToArray();
        (_outputs, var inputs) = (parts[0], parts[1]);
        _matrices = RandomMatrix.Many(WorkingSet, _outputs, inputs, 8);
        _x = RandomMatrix.Values(inputs);
        _y = GC.AllocateUninitializedArray<float>(_outputs, pinned: true);
        _team = new ComputeTeam(1);
        fixed (float* x = _x)
        {
            _rows.Fill(x, 1, inputs, RandomMatrix.Group, _team);
        }

        Check();
    }

    [GlobalCleanup]
    public void Cleanup() => _team?.Dispose();

    [Benchmark(Baseline = true)]
    public float FixedOrder()
    {
        Array.Clear(_y);
        fixed (float* y = _y)
        {
            GroupDot.Add(GroupDot.Best, Next().Blocks, 0, _outputs, _rows.Rows, 0, 1, y);
        }

        return _y[0];
    }

    [Benchmark]
    public float FreeOrder()
    {
        fixed (float* y = _y)
        {
            FreeOrderDot.Apply(Next().Blocks, _outputs, _rows.Rows, y);
        }

        return _y[0];
    }

    private BlockMatrix Next() => _matrices[_next = (_next + 1) % _matrices.Length];

    /// <summary>Both compute the same product, but for the order of its sums.</summary>
    private void Check()
    {
        FixedOrder();
        var right = _y.ToArray();
        _next--;
        FreeOrder();
        var most = right.Max(Math.Abs);
        for (var i = 0; i < _outputs; i++)
        {
            if (!(Math.Abs(right[i] - _y[i]) <= 1e-4f * most))
            {
                throw new InvalidOperationException($"Output {i} is {_y[i]} in free order and {right[i]} in the fixed one.");
            }
        }
    }
}
