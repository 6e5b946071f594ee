using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Blobs;

public sealed class BlobPeerTests
{
    private static readonly Address Gateway = new("akka.tcp", "efedllm", "10.0.0.1", 1001);
    private static readonly Address Device = new("akka.tcp", "efedllm", "::1", 1002);
    private static readonly DeviceId Giver = new(new string('9', 32));
    private static readonly ServedModel Mini = Facts.Model('1', "mini", 4) with { Files = new FilesOffer(Giver, 7001) };

    [Fact]
    public void A_gateway_gives_all_files_of_the_models_that_it_asks_for_and_a_device_what_it_holds()
    {
        var other = Facts.Model('2', "other", 2) with { Files = Mini.Files };
        var held = new HeldFiles(Mini.Model, [new LayerRange(1, 3)]);
        var peers = BlobPeer.Of(View([Mini, other], new BlobOffer(7002, [held], [])), new DeviceId(new string('a', 32)), tls: true);
        Assert.Equal(["d", "gateway 10.0.0.1:1001"], peers.Select(peer => peer.Name));
        Assert.Equal(["https://[::1]:7002/", "https://10.0.0.1:7001/"], peers.Select(peer => peer.Address.ToString()));
        Assert.Equal(Giver, peers[1].Device);
        Assert.True(peers[1].Knows(other.Model));
        Assert.All(Enumerable.Range(0, 6), unit => Assert.True(peers[1].Offer.Holds(Mini.Model, unit)));
        Assert.False(peers[1].Offer.Holds(Mini.Model, 6));
        Assert.False(peers[0].Offer.Holds(Mini.Model, 0));
    }

    [Fact]
    public void A_gateway_that_gives_none_is_out_of_reach_or_is_the_device_itself_is_no_peer()
    {
        var self = new DeviceId(new string('a', 32));
        Assert.Empty(BlobPeer.Of(View([Mini with { Files = null }], null), self, tls: false));
        Assert.Empty(BlobPeer.Of(View([Mini], null, reachable: false), self, tls: false));
        Assert.Empty(BlobPeer.Of(View([Mini], null), Giver, tls: false));

        // A device says itself what it holds, whatever its gateway says.
        var both = Mini with { Files = new FilesOffer(new DeviceId(new string('d', 32)), 7001) };
        Assert.Equal("d", Assert.Single(BlobPeer.Of(View([both], new BlobOffer(7002, [], [])), self, tls: false)).Name);
    }

    [Fact]
    public void Whoever_is_excluded_gives_nothing()
    {
        var view = View([Mini], new BlobOffer(7002, [], []));
        Assert.Equal(2, BlobPeer.Of(view, new DeviceId(new string('a', 32)), tls: false).Length);
        foreach (var (excluded, left) in new[] { (new DeviceId(new string('d', 32)), "gateway 10.0.0.1:1001"), (Giver, "d") })
        {
            var standing = new DeviceStanding(excluded, TrustTier.Excluded, TrustTier.Full, 20, 1, Gateway);
            var other = view with { Standings = view.Standings.Add(excluded, standing) };
            Assert.Equal(left, Assert.Single(BlobPeer.Of(other, new DeviceId(new string('a', 32)), tls: false)).Name);
        }
    }

    private static ClusterView View(IEnumerable<ServedModel> models, BlobOffer? offer, bool reachable = true) => new ClusterViewState(Gateway)
        .With(new UniqueAddress(Gateway, 1), new NodeView(Gateway, [], MemberStatus.Up, reachable, "0.1.0"))
        .With(new UniqueAddress(Device, 1), new NodeView(Device, [], MemberStatus.Up, true, "0.1.0"))
        .WithModels(models.Select(model => KeyValuePair.Create(FactKeys.ModelEntry(Gateway, model.Model), model)))
        .WithDevices(offer is null ? [] : [Facts.Entry(Facts.Device('d', Device) with { Blobs = offer })])
        .View();
}
