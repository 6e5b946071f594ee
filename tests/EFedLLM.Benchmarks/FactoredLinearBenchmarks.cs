using BenchmarkDotNet.Attributes;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Benchmarks;

/// <summary>
/// The kernels of served matrices, each number of bits and the fused branch of low rank, against the lower bound of a decode step: threads that do nothing
/// but read the weights. So many copies are visited in turn that the weights come from memory, as in a model.
/// </summary>
[ShortRunJob]
[BandwidthColumns]
public class FactoredLinearBenchmarks : IReadsMemory
{
    private const long WorkingSet = 128L << 20;
    private const int FactorBits = 8;

    private readonly LinearWorkspace _workspace = new();
    private FactoredLinear[] _layers = [];
    private ComputeTeam? _team;
    private float[] _x = [];
    private float[] _y = [];
    private int _next;

    /// <summary>Outputs x inputs: matrices of models of 135 million and of a billion parameters.</summary>
    [Params("576x576", "576x1536", "2048x2048", "2048x5632", "32000x2048")]
    public string Shape { get; set; } = "";

    /// <summary>Bits of a weight, and the rank of the branch where there is one.</summary>
    [Params("int8", "int6", "int5", "int4", "int4 + rank 32")]
    public string Form { get; set; } = "";

    /// <summary>Tokens at once: one to decode, and as many as fill a tile and a prompt.</summary>
    [Params(1, 4, 128)]
    public int Rows { get; set; }

    /// <summary>Threads that share the product.</summary>
    [Params(1, 2)]
    public int Threads { get; set; }

    private int Outputs => int.Parse(Shape.Split('x')[0]);

    private int Inputs => int.Parse(Shape.Split('x')[1]);

    private int Bits => Form["int".Length] - '0';

    private int Rank => Form.Split("rank ") is [_, var rank] ? int.Parse(rank) : 0;

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(3);
        _layers = [.. RandomMatrix.Many(WorkingSet, Outputs, Inputs, Bits).Select(matrix => new FactoredLinear(
            Inputs,
            Outputs,
            matrix,
            Rank == 0 ? null : RandomMatrix.Of(Rank, Inputs, FactorBits, random),
            Rank == 0 ? null : RandomMatrix.Of(Outputs, Rank, FactorBits, random),
            null))];
        (_x, _y) = (RandomMatrix.Values(Rows * Inputs), new float[Rows * Outputs]);
        _team = new ComputeTeam(Threads);
    }

    [GlobalCleanup]
    public void Cleanup() => _team?.Dispose();

    /// <summary>Quantises the rows and multiplies.</summary>
    [Benchmark]
    public float Apply()
    {
        _layers[_next = (_next + 1) % _layers.Length].Apply(_x, Rows, _y, _workspace, _team!);
        return _y[0];
    }

    long IReadsMemory.BytesOf(string benchmark) => RandomMatrix.Bytes(Outputs, Inputs, Bits)
        + (Rank == 0 ? 0 : RandomMatrix.Bytes(Rank, Inputs, FactorBits) + RandomMatrix.Bytes(Outputs, Rank, FactorBits));
}
