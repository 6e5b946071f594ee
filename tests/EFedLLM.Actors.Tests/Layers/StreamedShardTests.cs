using Akka.Actor;
using Akka.TestKit.Xunit2;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Compression;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>A shard whose weights are read from disk for every step, spoken to message by message.</summary>
public sealed class StreamedShardTests : TestKit
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly int[] Prompt = [1, 17, 5, 80, 33, 2];
    private static readonly LayerRange Whole = LayerRange.Whole(7);

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-streamed-").FullName;
    private readonly ShardWorker _worker = new(1, 64);
    private readonly FactoredModel _model;
    private readonly StreamPlan _plan;

    public StreamedShardTests()
    {
        RandomModel.Write(Shape, Path.Combine(_folder, "model"), seed: 5);
        _model = FactoredModel.Open(Path.Combine(_folder, "model"));
        long[] bytes = [.. _model.Manifest.Files.Select(file => file.Bytes)];
        _plan = StreamPlan.Of(bytes, Whole, StreamNeed.Of(bytes, Whole).LeastBytes)!;
    }

    private static ModelShape Shape { get; } = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 96,
        HiddenSize = 64,
        IntermediateSize = 128,
        Layers = 7,
        Heads = 4,
        KeyValueHeads = 2,
        HeadSize = 16,
        ContextLength = 64,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    [Fact]
    public void All_sessions_that_wait_draw_what_a_shard_in_memory_draws()
    {
        using var resident = TransformerShard.Load(_model, Whole);
        var expected = Local(resident);
        var shard = Shard();
        var opens = Enumerable.Range(0, 4).Select(_ => Opened(shard)).ToArray();
        foreach (var open in opens)
        {
            Feed(shard, open);
        }

        foreach (var open in opens)
        {
            Assert.Equal(expected, FishForMessage<TokenSampled>(message => message.Session == open.Session, Patience).Choice.Id);
        }
    }

    [Fact]
    public void A_file_that_is_cut_ends_the_session_with_its_name_and_the_shard_serves_on_when_it_is_whole()
    {
        var shard = Shard();
        var before = Opened(shard);
        Feed(shard, before);
        var expected = FishForMessage<TokenSampled>(message => message.Session == before.Session, Patience).Choice.Id;

        var path = Path.Combine(_model.Folder, _model.Manifest.Files[_plan.Streamed[^1]].Name);
        var bytes = File.ReadAllBytes(path);
        Overwrite(path, bytes[..(bytes.Length / 2)]);
        var during = Opened(shard);
        Feed(shard, during);
        var failed = FishForMessage<StepFailed>(message => message.Session == during.Session, Patience);
        Assert.Contains(path, failed.Message, StringComparison.Ordinal);
        Assert.False(failed.Unsound);

        Overwrite(path, bytes);
        var after = Opened(shard);
        Feed(shard, after);
        Assert.Equal(expected, FishForMessage<TokenSampled>(message => message.Session == after.Session, Patience).Choice.Id);
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        _worker.End(() =>
        {
            _model.Dispose();
            Directory.Delete(_folder, recursive: true);
        });
    }

    private static int Local(TransformerShard shard)
    {
        using var team = new ComputeTeam(1);
        using var cache = shard.CreateCache(Prompt.Length);
        var step = new ShardStep { Cache = cache, Count = Prompt.Length, Tokens = Prompt, LogitRows = 1, Logits = new float[Shape.VocabularySize] };
        shard.Forward([step], team);
        return new Sampler().Draw(step.Logits.Span, SamplingSettings.Greedy, Prompt.Length).Id;
    }

    private static void Overwrite(string path, byte[] bytes)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        file.Write(bytes);
        file.SetLength(bytes.Length);
    }

    private IActorRef Shard()
    {
        var loaded = TransformerShard.Load(_model, Whole, _plan.MemoryBytes);
        Assert.True(loaded.StreamedBytes > 0);
        var parts = new LayerShardParts(TestSessions.Model, loaded, _worker, new CacheBudget(64 << 20), 16, 512, TimeSpan.FromMinutes(5), TimeProvider.System, () => { });
        return Sys.ActorOf(Props.Create(() => new LayerShard(parts)));
    }

    private OpenSession Opened(IActorRef shard)
    {
        var open = TestSessions.Open(TestSessions.Route(TestSessions.Model, [Whole], [shard]), 0, TestActor, limit: 32);
        shard.Tell(open, TestActor);
        FishForMessage<SessionOpened>(message => message.Session == open.Session, Patience);
        return open;
    }

    private void Feed(IActorRef shard, OpenSession open) => shard.Tell(new FeedTokens(open.Session, 1, 0, [.. Prompt], true), TestActor);
}
