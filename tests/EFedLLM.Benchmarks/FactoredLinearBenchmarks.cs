using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using BenchmarkDotNet.Attributes;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Benchmarks;

/// <summary>
/// Served matrices against one thread that does nothing but read their weights (16 of 17 bytes; the rest are scales), which is the lower bound of a decode step. So many copies are
/// visited in turn that the weights come from memory, as in a model.
/// </summary>
[ShortRunJob]
public unsafe class FactoredLinearBenchmarks
{
    private const long WorkingSet = 128L << 20;

    private readonly LinearWorkspace _workspace = new();
    private FactoredLinear[] _layers = [];
    private BlockMatrix[] _matrices = [];
    private ComputeTeam? _team;
    private float[] _x = [];
    private float[] _y = [];
    private int _next;

    /// <summary>Outputs x inputs: matrices of models of 135 million and of a billion parameters.</summary>
    [Params("576x576", "576x1536", "2048x2048", "2048x5632", "32000x2048")]
    public string Shape { get; set; } = "";

    /// <summary>Bits of a weight.</summary>
    [Params(8, 6, 5, 4)]
    public int Bits { get; set; }

    /// <summary>Tokens at once.</summary>
    [Params(1, 4, 128)]
    public int Rows { get; set; }

    /// <summary>Threads that share the product.</summary>
    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var parts = Shape.Split('x').Select(int.Parse).ToArray();
        var (outputs, inputs) = (parts[0], parts[1]);
        var random = new Random(1);
        var weights = new sbyte[BlockLayout.WeightBytes(outputs, inputs, 32, Bits)];
        random.NextBytes(MemoryMarshal.AsBytes(weights.AsSpan()));
        var scales = new ushort[BlockLayout.ScaleCount(outputs, inputs, 32)];
        scales.AsSpan().Fill(BFloat16.FromSingle(0.01f));
        _matrices = [.. Enumerable.Range(0, (int)(WorkingSet / weights.Length) + 1).Select(_ => new BlockMatrix(outputs, inputs, 32, Bits, weights, scales))];
        _layers = [.. _matrices.Select(matrix => new FactoredLinear(inputs, outputs, matrix, null, null, null))];
        _x = [.. Enumerable.Range(0, Rows * inputs).Select(_ => random.NextSingle() - 0.5f)];
        _y = new float[Rows * outputs];
        _team = new ComputeTeam(Threads);
    }

    [GlobalCleanup]
    public void Cleanup() => _team?.Dispose();

    [Benchmark(Baseline = true)]
    public byte Read()
    {
        var matrix = _matrices[_next = (_next + 1) % _matrices.Length];
        var quarter = BlockLayout.WeightBytes(matrix.Outputs, matrix.Inputs, matrix.Group, matrix.Bits) / 4;
        var start = (byte*)matrix.Blocks.Weights;
        var (a, b, c, d) = default((Vector256<byte>, Vector256<byte>, Vector256<byte>, Vector256<byte>));
        for (var at = start; at < start + quarter; at += Vector256<byte>.Count)
        {
            a ^= Vector256.Load(at);
            b ^= Vector256.Load(at + quarter);
            c ^= Vector256.Load(at + 2 * quarter);
            d ^= Vector256.Load(at + 3 * quarter);
        }

        return (a ^ b ^ c ^ d).ToScalar();
    }

    [Benchmark]
    public float Apply()
    {
        _layers[_next = (_next + 1) % _layers.Length].Apply(_x, Rows, _y, _workspace, _team!);
        return _y[0];
    }
}
