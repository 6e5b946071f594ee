using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Placement;

namespace EFedLLM.Actors.Tests.Membership;

public sealed class MembershipClusterTests : IDisposable
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-membership-").FullName;
    private readonly CertificateAuthority _authority;

    public MembershipClusterTests()
    {
        _authority = CertificateAuthority.Create(In("ca"), "ours", Day);
        _authority.Issue(In("anchor"), "anchor", ["127.0.0.1"], Day);
        foreach (var number in new[] { 1, 2, 3 })
        {
            _authority.Issue(In($"{number}"), $"{number}", [], Day, Device(number), $"owner {number}");
        }
    }

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task An_evicted_device_is_taken_out_and_no_member_lets_it_in_again_but_others_come_and_learn_of_it()
    {
        await using var anchor = Start(null, "anchor", ClusterNames.Anchor);
        await using var kept = Start(anchor, "1", ClusterNames.Device);
        await using var evicted = Start(anchor, "2", ClusterNames.Device);
        await Task.WhenAll(anchor.UpAsync(3), kept.UpAsync(3), evicted.UpAsync(3));
        var decision = Evict(2, 1);
        Assert.True(await SpreadAsync(anchor, decision, evicted.Address));
        await evicted.System.WhenTerminated.WaitAsync(TestNode.Patience);
        await Task.WhenAll(GoneAsync(anchor, evicted.Address), GoneAsync(kept, evicted.Address));
        await KnowsAsync(kept, 2);

        // It comes back, and every member it may ask refuses it; a device that is welcome comes in meanwhile and knows whom to refuse.
        var refusals = new[] { anchor, kept }.Select(node => node.Log().FirstAsync<LogEvent>(entry => $"{entry}".Contains("was evicted", StringComparison.Ordinal))).ToArray();
        await using var again = Start(anchor, "2", ClusterNames.Device);
        again.System.ActorSelection($"{kept.Address}/user/nobody").Tell("Is anybody there?");
        await Task.WhenAll(refusals);
        await using var later = Start(anchor, "3", ClusterNames.Device);
        await Task.WhenAll(anchor.UpAsync(3), later.UpAsync(3));
        await KnowsAsync(later, 2);
        Assert.Empty(again.Cluster.State.Members);

        // What a member knows outlives it.
        using var bearer = NodeCertificate.Load(In("2"));
        Assert.Contains("evicted", NodeIdentity.Load(In("1"), In("1-data")).Certificate.Reject(bearer.Certificate)!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_member_can_neither_forge_a_decision_nor_take_one_back()
    {
        using var foreign = CertificateAuthority.Create(In("foreign"), "ours", Day);
        await using var anchor = Start(null, "anchor", ClusterNames.Anchor);
        await using var liar = Start(anchor, "1", ClusterNames.Device);
        await Task.WhenAll(anchor.UpAsync(2), liar.UpAsync(2));
        var readmission = Readmit(2, 1);
        var eviction = Evict(2, 2);
        await SpreadAsync(anchor, eviction);

        // Everything that a member may write, the genuine but older decision among it.
        var replicator = DistributedData.Get(liar.System).Replicator;
        SignedRevocation[] lies =
        [
            readmission,
            new Revocation(long.MaxValue, Device(3), true, [], "", DateTimeOffset.UnixEpoch).Sign(foreign),
            new Revocation(long.MaxValue, Device(2), false, [], "", DateTimeOffset.UnixEpoch).Sign(foreign),
            new SignedRevocation(new byte[10], new byte[ProtocolLimits.AuthoritySignatureBytes]),
        ];
        await replicator.Ask<IUpdateResponse>(Dsl.Update(
            FactKeys.Revocations, GSet<SignedRevocation>.Empty, new WriteAll(TestNode.Patience), set => lies.Aggregate(set, (all, one) => all.Add(one))), TestNode.Patience);

        // One more genuine decision arrives behind the lies, so that they have been judged when it counts.
        var last = Evict(3, 3);
        await SpreadAsync(liar, last);
        await KnowsAsync(anchor, 3);
        Assert.Equal(3, Store(anchor).Current.Version);
        Assert.NotNull(Store(anchor).Current.Find(Device(2)));
    }

    [Fact]
    public async Task A_member_cannot_make_others_believe_that_its_device_is_somebody_elses()
    {
        await using var anchor = Start(null, "anchor", ClusterNames.Anchor);
        await using var liar = Start(anchor, "1", ClusterNames.Device);
        await Task.WhenAll(anchor.UpAsync(2), liar.UpAsync(2));
        var (subscriber, views) = anchor.Collect();
        anchor.System.StartClusterView().Tell(new SubscribeView(subscriber));
        using var other = NodeCertificate.Load(In("2"));
        var own = NodeIdentity.Of(liar.System)!.Certificate.Shown;
        var (host, _) = liar.Collect();
        var device = new DeviceAnnouncement(Device(1), "1", liar.Address, host, 1, 1, [], [], false, 1) { Owner = "owner 2" };
        Assert.Equal("owner 1", await OwnerAsync(1, own));
        Assert.Null(await OwnerAsync(2, other.Shown));
        Assert.Null(await OwnerAsync(3, default));

        async Task<string?> OwnerAsync(long revision, ReadOnlyMemory<byte> certificate)
        {
            liar.Write(FactKeys.Devices, Device(1).Value, device with { Revision = revision, Certificate = certificate });
            var view = await views.FirstAsync<ClusterView>(view => view.Devices.Any(known => known.Revision == revision));
            return Assert.Single(view.Devices).Owner;
        }
    }

    private static RevocationStore Store(TestNode node) => NodeIdentity.Of(node.System)!.Revocations;

    private static async Task<bool> SpreadAsync(TestNode node, SignedRevocation decision, params Address[] nodes)
    {
        Store(node).Add([decision]);
        var membership = await node.System.ActorSelection("/user/membership").ResolveOne(TestNode.Patience);
        return await membership.SpreadAsync(decision, nodes, CancellationToken.None);
    }

    private static DeviceId Device(int number) => new($"{number:x32}");

    private static async Task KnowsAsync(TestNode node, int device) => await UntilAsync(() => Store(node).Current.Find(Device(device)) is not null);

    private static Task GoneAsync(TestNode node, Address other) => UntilAsync(() => node.Cluster.State.Members.All(member => member.Address != other));

    private static async Task UntilAsync(Func<bool> fits)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!fits())
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }

    private SignedRevocation Evict(int device, long version) => new Revocation(version, Device(device), true, [], $"{device}", DateTimeOffset.UnixEpoch).Sign(_authority);

    private SignedRevocation Readmit(int device, long version) => new Revocation(version, Device(device), false, [], $"{device}", DateTimeOffset.UnixEpoch).Sign(_authority);

    private TestNode Start(TestNode? seed, string name, string role)
    {
        var node = TestNode.Start(seed, In(name), In($"{name}-data"), role);
        node.System.StartMembership();
        return node;
    }

    private string In(string name) => Path.Combine(_folder, name);
}
