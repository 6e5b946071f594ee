using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Tests.Api;

public class ClusterFactsBuilderTests
{
    private const int Layers = 4;

    private static readonly ModelId Model = new(new string('a', 64));
    private static readonly Address Here = Node(1);

    private static readonly ServedModel Served = new(Model, "tiny", 64, [.. Enumerable.Repeat(100L, Layers + 2)], [], [], 512, 8.5);

    [Fact]
    public void Ranges_that_join_from_the_embedding_to_the_head_make_a_model_ready()
    {
        var facts = ClusterFactsBuilder.Build(View(Device(1, (0, 3)), Device(2, (3, 6))), Nothing(), NoRecords());
        var model = Assert.Single(facts.Models);
        Assert.True(model.Ready);
        Assert.Null(model.Problem);
        Assert.Equal(600, model.WeightBytes);
        Assert.Equal("embedding + layers 0-1", facts.Devices[0].Shards[0].Units);
        Assert.Equal("layers 2-3 + head", facts.Devices[1].Shards[0].Units);
    }

    [Fact]
    public void Overlapping_ranges_do_not_join() => Assert.False(ClusterFactsBuilder.Build(View(Device(1, (0, 4)), Device(2, (3, 6))), Nothing(), NoRecords()).Models[0].Ready);

    [Fact]
    public void A_range_of_an_unreachable_device_does_not_count()
    {
        var view = View(Device(1, (0, 3)), Device(2, (3, 6)));
        var broken = view with { Members = [view.Members[0], view.Members[1] with { Reachable = false }] };
        Assert.Contains("layers 2-3 + head", ClusterFactsBuilder.Build(broken, Nothing(), NoRecords()).Models[0].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_cannot_be_asked_says_why()
    {
        Assert.Contains("no placement plan", ClusterFactsBuilder.Problem(Served, View(Device(1))), StringComparison.Ordinal);
        Assert.Contains("Too little memory.", ClusterFactsBuilder.Problem(Served, View(Device(1)) with { Plans = [new PlacementPlan(Model, 1, [], "Too little memory.")] }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_range_that_cannot_be_is_shown_as_it_was_claimed()
    {
        var facts = ClusterFactsBuilder.Build(View(Device(1, (3, 99))), Nothing(), NoRecords());
        Assert.Equal("[3, 99)", facts.Devices[0].Shards[0].Units);
        Assert.False(facts.Models[0].Ready);
    }

    [Fact]
    public void A_device_that_fetches_its_files_says_which_and_how_many_of_them_are_there()
    {
        var offer = new BlobOffer(1, [], [new FetchingRange(Model, new LayerRange(3, 6), 427, 1000)]);
        var facts = ClusterFactsBuilder.Build(View(Device(1) with { Blobs = offer }, Device(2)), Nothing(), NoRecords());
        Assert.Equal(new FetchFacts("tiny", 3, 6, "layers 2-3 + head", 427, 1000), Assert.Single(facts.Devices[0].Fetching!));
        Assert.Equal("42 %", EFedLLM.Node.Output.ClusterTables.Percent(facts.Devices[0].Fetching![0]));
        Assert.Null(facts.Devices[1].Fetching);
    }

    [Fact]
    public void A_device_that_was_checked_shows_how_far_it_is_trusted_and_others_show_nothing()
    {
        var (one, two, three) = (Device(1, (0, 6)), Device(2), Device(3));
        var standings = new[] { (one, TrustTier.Quarantined), (two, TrustTier.Full) }.Select(device => new DeviceStanding(device.Item1.Device, device.Item2, TrustTier.Probation, 7, 1, Here));
        var view = View(one, two, three) with { Standings = standings.ToImmutableDictionary(standing => standing.Device) };
        var record = new DeviceRecord(one.Device, null, null, 0, 0, 0, 0, 0, 0, 0, []) { Server = new RoleStanding { Passed = 41 } };
        var facts = ClusterFactsBuilder.Build(view, Nothing(), new Dictionary<DeviceId, DeviceRecord> { [one.Device] = record });
        Assert.Equal([("quarantined", 41L), ("full", null), (null, null)], facts.Devices.Select(device => (device.Standing, device.ChecksPassed)));
    }

    [Fact]
    public void A_device_says_whose_it_is_where_that_is_known()
    {
        var facts = ClusterFactsBuilder.Build(View(Device(1) with { Owner = "anna" }, Device(2)), Nothing(), NoRecords());
        Assert.Equal(["anna", null], facts.Devices.Select(device => device.Owner));
    }

    private static Dictionary<ModelId, ModelManifest> Nothing() => [];

    private static Dictionary<DeviceId, DeviceRecord> NoRecords() => [];

    private static ClusterView View(params DeviceAnnouncement[] devices) => ClusterView.Empty(Here) with
    {
        Members = [.. devices.Select(device => new NodeView(device.Node, ["device"], MemberStatus.Up, true, "0.1.0"))],
        Devices = [.. devices],
        Models = [Served],
    };

    private static DeviceAnnouncement Device(int number, params (int First, int End)[] ranges) => new(
        new DeviceId(new string((char)('0' + number), 32)), $"device-{number}", Node(number), ActorRefs.Nobody, 1000, 0, [Model],
        ranges.Select(range => new LoadedRange(Model, new LayerRange(range.First, range.End), ActorRefs.Nobody, 10)).ToImmutableArray(), false, 1);

    private static Address Node(int number) => new("akka.tcp", "efedllm", "127.0.0.1", number);
}
