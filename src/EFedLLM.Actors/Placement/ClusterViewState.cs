using System.Collections.Immutable;
using System.Security.Cryptography.X509Certificates;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Placement;

/// <summary>What a node has heard of the cluster, and the view it makes of it. Immutable: each method returns the state after one piece of news.</summary>
internal sealed class ClusterViewState
{
    private readonly Address _self;
    private readonly X509Certificate2? _authority;
    private ImmutableDictionary<DeviceId, ShownOwner> _owners = ImmutableDictionary<DeviceId, ShownOwner>.Empty;
    private ImmutableDictionary<UniqueAddress, NodeView> _members = ImmutableDictionary<UniqueAddress, NodeView>.Empty;
    private ImmutableHashSet<Address> _unconnected = [];
    private Address? _leader;
    private ImmutableArray<DeviceAnnouncement> _devices = [];
    private ImmutableArray<KeyValuePair<string, ServedModel>> _models = [];
    private ImmutableArray<PlacementPlan> _plans = [];
    private ImmutableDictionary<DeviceId, DeviceStanding> _standings = ImmutableDictionary<DeviceId, DeviceStanding>.Empty;
    private ImmutableArray<Address> _ledgers = [];
    private ImmutableDictionary<DeviceId, DeviceStanding> _kept = ImmutableDictionary<DeviceId, DeviceStanding>.Empty;
    private ImmutableDictionary<DeviceId, HeldStanding> _held = ImmutableDictionary<DeviceId, HeldStanding>.Empty;
    private bool _isLedgerAway;

    /// <summary>Nothing heard yet.</summary>
    /// <param name="self">The address of the node that looks.</param>
    /// <param name="authority">The certificate of the cluster's authority, by which it judges whose devices are; null where there is none.</param>
    public ClusterViewState(Address self, X509Certificate2? authority = null) => (_self, _authority) = (self, authority);

    private ClusterViewState(ClusterViewState other)
        => (_self, _authority, _owners, _members, _unconnected, _leader, _devices, _models, _plans, _standings, _ledgers, _kept, _held, _isLedgerAway)
            = (other._self, other._authority, other._owners, other._members, other._unconnected, other._leader, other._devices, other._models, other._plans, other._standings, other._ledgers, other._kept, other._held, other._isLedgerAway);

    /// <summary>Whether a ledger node is a member and answers.</summary>
    public bool HasLedger => _members.Values.Any(
        member => member is { Status: MemberStatus.Up, Reachable: true } && member.Roles.Contains(ClusterNames.Ledger) && !_unconnected.Contains(member.Address));

    /// <summary>A member is there, or its state or reachability changed.</summary>
    /// <param name="node">The member: a process that restarts at the same address is another one.</param>
    /// <param name="member">What it is now.</param>
    public ClusterViewState With(UniqueAddress node, NodeView member) => new(this) { _members = _members.SetItem(node, member) };

    /// <summary>A member's state changed; whether it answers is as before.</summary>
    public ClusterViewState WithStatus(UniqueAddress node, NodeView member)
        => With(node, member with { Reachable = !_members.TryGetValue(node, out var before) || before.Reachable });

    /// <summary>A member answers heartbeats, or does not any more. News of one that is gone means nothing.</summary>
    public ClusterViewState WithReachable(UniqueAddress node, bool reachable)
        => _members.TryGetValue(node, out var member) ? With(node, member with { Reachable = reachable }) : this;

    /// <summary>A connection to a node came about, or could not: then its process is not there, long before its heartbeats are missed.</summary>
    public ClusterViewState WithConnection(Address node, bool isConnected)
        => isConnected != _unconnected.Contains(node) || !_members.Keys.Any(member => member.Address.Equals(node))
            ? this
            : new(this) { _unconnected = isConnected ? _unconnected.Remove(node) : _unconnected.Add(node) };

    /// <summary>A member is gone.</summary>
    public ClusterViewState Without(UniqueAddress node) => new(this) { _members = _members.Remove(node), _unconnected = _unconnected.Remove(node.Address) };

    /// <summary>The cluster has this leader, or none.</summary>
    public ClusterViewState WithLeader(Address? leader) => new(this) { _leader = leader };

    /// <summary>These are all announcements of devices. One under another device's id is not believed, nor an owner that the authority does not confirm, where there is one.</summary>
    public ClusterViewState WithDevices(IEnumerable<KeyValuePair<string, DeviceAnnouncement>> devices)
    {
        var named = devices.Where(entry => entry.Key == entry.Value.Device.Value).Select(entry => entry.Value).ToArray();
        if (_authority is not { } authority)
        {
            return new(this) { _devices = [.. named.Select(device => device.Certificate.IsEmpty ? device : device with { Certificate = default })] };
        }

        // A device announces itself often, and its certificate is the same each time.
        var owners = named.Where(device => !device.Certificate.IsEmpty).ToImmutableDictionary(
            device => device.Device,
            device => _owners.TryGetValue(device.Device, out var known) && known.Certificate.Span.SequenceEqual(device.Certificate.Span) ? known : ShownOwner.Of(device, authority));
        return new(this)
        {
            _owners = owners,
            _devices = [.. named.Select(device => owners.TryGetValue(device.Device, out var shown) && shown.IsTrue
                ? device with { Owner = shown.Owner }
                : device with { Owner = null, Certificate = default })],
        };
    }

    /// <summary>These are all models that gateways ask for, under <see cref="FactKeys.ModelEntry"/>.</summary>
    public ClusterViewState WithModels(IEnumerable<KeyValuePair<string, ServedModel>> models) => new(this) { _models = [.. models] };

    /// <summary>These are all plans.</summary>
    public ClusterViewState WithPlans(IEnumerable<KeyValuePair<string, PlacementPlan>> plans)
        => new(this) { _plans = [.. plans.Where(entry => entry.Key == entry.Value.Model.Value).Select(entry => entry.Value).OrderBy(plan => plan.Model.Value, StringComparer.Ordinal)] };

    /// <summary>
    /// These are all standings. One under another device's id is not believed, nor one of a member that is no ledger node; that of a node that
    /// is gone stays. Which node it is of is what the entry itself says: distributed data does not prove it.
    /// </summary>
    public ClusterViewState WithStandings(IEnumerable<KeyValuePair<string, DeviceStanding>> standings)
    {
        var all = standings.Where(entry => entry.Key == entry.Value.Device.Value).ToImmutableDictionary(entry => entry.Value.Device, entry => entry.Value);
        return new(this) { _standings = all, _ledgers = [.. all.Values.Select(standing => standing.Ledger).Distinct()] };
    }

    /// <summary>What a ledger said of devices before this node started: it counts of those of which none has said anything since.</summary>
    public ClusterViewState WithKept(ImmutableDictionary<DeviceId, DeviceStanding> kept) => new(this) { _kept = kept };

    /// <summary>This is what the node itself has proven of devices and no ledger has counted yet: of it and of what a ledger says the worse counts.</summary>
    public ClusterViewState WithHeld(ImmutableDictionary<DeviceId, HeldStanding> held) => new(this) { _held = held };

    /// <summary>No ledger answers for too long, or one answers again.</summary>
    public ClusterViewState WithLedgerAway(bool isAway) => isAway == _isLedgerAway ? this : new(this) { _isLedgerAway = isAway };

    /// <summary>The view of all this.</summary>
    public ClusterView View()
    {
        // For a moment a process that restarted stands beside the one before it, at the same address: the one that is further from its end counts.
        var members = _members.Values
            .GroupBy(member => member.Address)
            .Select(same => same.OrderBy(member => Rank(member.Status)).First())
            .Select(member => _unconnected.Contains(member.Address) ? member with { Reachable = false } : member)
            .OrderBy(member => member.Address, Member.AddressOrdering)
            .ToImmutableArray();
        var up = members.Where(member => member.Status == MemberStatus.Up).Select(member => member.Address).ToHashSet();

        // A gateway that leaves still has answers under way, so what it asks for counts until it is gone.
        var asking = members.Where(member => member.Status != MemberStatus.Down).Select(member => member.Address).ToArray();
        var asked = _models
            .Select(entry => (Gateway: asking.FirstOrDefault(gateway => entry.Key == FactKeys.ModelEntry(gateway, entry.Value.Model)), Model: entry.Value))
            .Where(entry => entry.Gateway is not null)
            .OrderBy(entry => entry.Gateway, Member.AddressOrdering)
            .ThenBy(entry => entry.Model.Model.Value, StringComparer.Ordinal)
            .ToArray();
        return new ClusterView(
            _self,
            _leader,
            members,
            [.. _devices.Where(device => up.Contains(device.Node)).OrderBy(device => device.Device.Value, StringComparer.Ordinal)],
            [.. asked
                .Select(entry => entry.Model)
                .DistinctBy(model => model.Model)
                .OrderBy(model => model.Name, StringComparer.Ordinal)
                .ThenBy(model => model.Model.Value, StringComparer.Ordinal)],
            _plans)
        {
            Givers = [.. asked.Where(entry => entry.Model.Files is not null).Select(entry => new ModelGiver(entry.Gateway!, entry.Model.Model, entry.Model.Layers, entry.Model.Files!))],
            Standings = Standings(members),
            IsLedgerAway = _isLedgerAway,
        };
    }

    private ImmutableDictionary<DeviceId, DeviceStanding> Standings(ImmutableArray<NodeView> members)
    {
        var others = members.Where(member => !member.Roles.Contains(ClusterNames.Ledger)).Select(member => member.Address).ToHashSet();
        var said = _ledgers.Any(others.Contains) ? _standings.Where(entry => !others.Contains(entry.Value.Ledger)).ToImmutableDictionary() : _standings;
        var known = _kept.IsEmpty ? said : _kept.SetItems(said);
        return known.SetItems(_held.Select(one => KeyValuePair.Create(one.Key, With(known.GetValueOrDefault(one.Key), one.Key, one.Value))));
    }

    /// <summary>A standing with what the node holds against the device. Of one of which no ledger has said anything it has the revision 0.</summary>
    private DeviceStanding With(DeviceStanding? said, DeviceId device, HeldStanding held)
        => said is null
            ? new DeviceStanding(device, held.Server, held.Verifier, held.Score, 0, _self)
            : said with { Server = Worse(said.Server, held.Server), Verifier = Worse(said.Verifier, held.Verifier), Score = Math.Max(said.Score, held.Score) };

    private static TrustTier Worse(TrustTier one, TrustTier other)
        => one == TrustTier.Excluded || other == TrustTier.Excluded ? TrustTier.Excluded
            : one == TrustTier.Quarantined || other == TrustTier.Quarantined ? TrustTier.Quarantined
            : one;

    /// <summary>What a device showed to prove whose it is, and what came of it.</summary>
    private sealed record ShownOwner(ReadOnlyMemory<byte> Certificate, bool IsTrue, string? Owner)
    {
        public static ShownOwner Of(DeviceAnnouncement device, X509Certificate2 authority)
            => new(device.Certificate, CertificateRules.TryReadOwner(device.Certificate.Span, device.Device, authority, out var owner), owner);
    }

    private static int Rank(MemberStatus status) => status switch
    {
        MemberStatus.Up => 0,
        MemberStatus.Joining or MemberStatus.WeaklyUp => 1,
        MemberStatus.Leaving => 2,
        MemberStatus.Exiting => 3,
        _ => 4,
    };
}
