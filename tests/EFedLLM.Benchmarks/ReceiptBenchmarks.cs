using BenchmarkDotNet.Attributes;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Benchmarks;

/// <summary>What a hop's receipts cost: the digests of what comes in and goes out at each position, and what a unit of 16 adds to them; and what it costs to check one.</summary>
[ShortRunJob]
[MemoryDiagnoser]
public class ReceiptBenchmarks
{
    private readonly DeviceKey _key = DeviceKey.Create();
    private readonly List<ISessionMessage> _signed = [];
    private ReceiptBook _book = null!;
    private float[] _in = [];
    private float[] _out = [];
    private int _position;
    private UnitSigned _receipt = null!;

    /// <summary>Width of the residual stream.</summary>
    [Params(576, 2048)]
    public int Hidden { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        (_in, _out) = ([.. Enumerable.Range(0, Hidden).Select(_ => random.NextSingle())], [.. Enumerable.Range(0, Hidden).Select(_ => random.NextSingle())]);
        _book = new ReceiptBook(_key, new ModelId(new string('a', 64)), new LayerRange(1, 5), new OpenSession(
            SessionId.New(), 1, new Route(new ModelId(new string('a', 64)), []), 1, 1, SamplingSettings.Greedy, Akka.Actor.ActorRefs.Nobody));
        Unit();
        _receipt = (UnitSigned)_signed[0];
    }

    [GlobalCleanup]
    public void Cleanup() => _key.Dispose();

    /// <summary>What comes in and what goes out at one position.</summary>
    [Benchmark]
    public Digest Position() => PositionDigest.OfRow(_in) with { D = PositionDigest.OfRow(_out).D };

    /// <summary>16 positions, their roots, the receipt and its signature.</summary>
    [Benchmark]
    public int Unit()
    {
        _signed.Clear();
        for (var row = 0; row < UnitCut.Rows; row++)
        {
            _book.Add(_position++, PositionDigest.OfRow(_in), PositionDigest.OfRow(_out), _signed);
        }

        return _signed.Count;
    }

    /// <summary>Whoever gets a receipt checks its signature.</summary>
    [Benchmark]
    public bool Check() => DeviceKey.Verify(_key.PublicKey.Span, _receipt.Receipt.ToBytes(), _receipt.Signature.AsSpan());
}
