using BenchmarkDotNet.Attributes;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Benchmarks;

/// <summary>What a hop's receipts cost: the digests of what comes in, goes out and is kept at each position of eight layers, and what a unit of 16 adds to them; and what it costs to check one.</summary>
[ShortRunJob]
[MemoryDiagnoser]
public class ReceiptBenchmarks
{
    private static readonly ModelId Model = new(new string('a', 64));
    private static readonly LayerRange Range = new(1, 9);

    private readonly DeviceKey _key = DeviceKey.Create();
    private readonly List<ISessionMessage> _signed = [];
    private ReceiptBook _book = null!;
    private float[] _in = [];
    private float[] _out = [];
    private Half[] _kept = [];
    private KvCache _cache = null!;
    private int _position;
    private int _at;
    private UnitSigned _receipt = null!;

    /// <summary>Width of the residual stream.</summary>
    [Params(576, 2048)]
    public int Hidden { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        (_in, _out) = ([.. Enumerable.Range(0, Hidden).Select(_ => random.NextSingle())], [.. Enumerable.Range(0, Hidden).Select(_ => random.NextSingle())]);
        _book = new ReceiptBook(_key, Model, Range, new OpenSession(
            SessionId.New(), 1, new Route(Model, []), 1, 1, SamplingSettings.Greedy, Akka.Actor.ActorRefs.Nobody));
        _cache = new KvCache(Shape(Hidden), Range, 256);
        _kept = new Half[_cache.PositionValues];
        _kept.AsSpan().Fill((Half)0.5f);
        for (var position = 0; position < 256; position++)
        {
            _cache.Import(0, _kept);
        }

        Unit();
        _receipt = (UnitSigned)_signed[0];
    }

    [GlobalCleanup]
    public void Cleanup() => _key.Dispose();

    /// <summary>What comes in and what goes out at one position.</summary>
    [Benchmark]
    public Digest Position() => PositionDigest.OfRow(_in) with { D = PositionDigest.OfRow(_out).D };

    /// <summary>What one position added to the cache of as many layers.</summary>
    [Benchmark]
    public Digest Kept()
    {
        _cache.Export(_at++ % _cache.Length, 0, _kept);
        return PositionDigest.OfRow(_kept);
    }

    /// <summary>16 positions, their roots, the receipt and its signature.</summary>
    [Benchmark]
    public int Unit()
    {
        _signed.Clear();
        for (var row = 0; row < UnitCut.Rows; row++)
        {
            _book.Add(_position++, PositionDigest.OfRow(_in), PositionDigest.OfRow(_out), Kept(), false, _signed);
        }

        return _signed.Count;
    }

    /// <summary>Whoever gets a receipt checks its signature.</summary>
    [Benchmark]
    public bool Check()
    {
        var signed = _receipt.ReceiptOf(default, _key.Device, Model, Range, default);
        return DeviceKey.Verify(_key.PublicKey.Span, signed.Receipt.ToStatement(), signed.Signature.AsSpan());
    }

    /// <summary>With the key/value heads of SmolLM-135M (576) and of TinyLlama-1.1B (2048).</summary>
    private static ModelShape Shape(int hidden) => new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 32000,
        HiddenSize = hidden,
        IntermediateSize = 4 * hidden,
        Layers = 30,
        Heads = hidden / 64,
        KeyValueHeads = hidden == 576 ? 3 : 4,
        HeadSize = 64,
        ContextLength = 2048,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };
}
