using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>A small model's shape, and messages of sessions that run through it in three hops.</summary>
internal static class TestSessions
{
    public static ModelId Model { get; } = new(new string('a', 64));

    public static ModelShape Shape { get; } = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 100,
        HiddenSize = 8,
        IntermediateSize = 16,
        Layers = 4,
        Heads = 2,
        KeyValueHeads = 1,
        HeadSize = 4,
        ContextLength = 64,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    public static LayerRange First { get; } = new(0, 2);

    public static LayerRange Middle { get; } = new(2, 4);

    public static LayerRange Last { get; } = new(4, 6);

    public static Route Route(ModelId model, IReadOnlyList<LayerRange> ranges, IReadOnlyList<IActorRef> shards)
        => new(model, [.. ranges.Select((range, hop) => new Hop(Device(hop), range, shards[hop]))]);

    /// <summary>A cluster whose devices serve the hops of a route, and those of others.</summary>
    public static ClusterView View(Route route, ServedModel model, params Hop[] others)
    {
        var hops = route.Hops.Concat(others).ToArray();
        var nodes = hops.Select(hop => hop.Shard.Path.Address).Distinct().ToArray();
        return ClusterView.Empty(nodes[0]) with
        {
            Members = [.. nodes.Select(node => new NodeView(node, [], Akka.Cluster.MemberStatus.Up, true, "1"))],
            Devices = [.. hops.GroupBy(hop => hop.Device).Select(device => new DeviceAnnouncement(
                device.Key, "", device.First().Shard.Path.Address, ActorRefs.Nobody, 1, 1, [], [.. device.Select(hop => new LoadedRange(model.Model, hop.Range, hop.Shard, 1))], false, 1))],
        };
    }

    public static DeviceId Device(int number) => new($"{number:x32}");

    public static OpenSession Open(Route route, int hop, IActorRef pipeline, SessionId? session = null, int epoch = 1, int limit = 32, SamplingSettings? sampling = null)
        => new(session ?? SessionId.New(), epoch, route, hop, limit, sampling ?? SamplingSettings.Greedy, pipeline);

    public static FeedTokens Tokens(OpenSession open, int position, int count, bool sample = false)
        => new(open.Session, open.Epoch, position, [.. Enumerable.Range(position, count)], sample);

    public static FeedHidden Hidden(OpenSession open, int position, int rows, bool sample = false, int width = 8)
        => new(open.Session, open.Epoch, position, rows, sample, new float[rows * width], Times(open.HopIndex));

    public static ImmutableArray<int> Times(int hops) => [.. Enumerable.Repeat(1, hops)];
}
