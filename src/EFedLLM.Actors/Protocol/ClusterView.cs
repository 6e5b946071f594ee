using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Protocol;

/// <summary>To a node's view actor, inside one process: send <see cref="ClusterView"/> to <paramref name="Subscriber"/>, now and after each change, until it stops.</summary>
/// <param name="Subscriber">A local actor.</param>
public sealed record SubscribeView(IActorRef Subscriber) : INoSerializationVerificationNeeded;

/// <summary>To a node's view actor, inside one process: answer with the <see cref="ClusterView"/> of now.</summary>
public sealed record GetView : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static GetView Instance { get; } = new();
}

/// <summary>The cluster as one node sees it: members from gossip, facts from distributed data. Facts of nodes that are not members are left out.</summary>
/// <param name="Self">The address of the node that looks.</param>
/// <param name="Leader">The cluster's leader, or null while there is none.</param>
/// <param name="Members">The nodes, by address.</param>
/// <param name="Devices">What devices announced, by id; only of members that are up. One that is unreachable is still here: see <see cref="IsReachable"/>.</param>
/// <param name="Models">The models that gateways ask for, by name, each once.</param>
/// <param name="Plans">The latest plan of each model that has one.</param>
public sealed record ClusterView(
    Address Self,
    Address? Leader,
    ImmutableArray<NodeView> Members,
    ImmutableArray<DeviceAnnouncement> Devices,
    ImmutableArray<ServedModel> Models,
    ImmutableArray<PlacementPlan> Plans) : INoSerializationVerificationNeeded
{
    /// <summary>The gateways that give the files of models they ask for, by address and model.</summary>
    public ImmutableArray<ModelGiver> Givers { get; init; } = [];

    /// <summary>How far the ledger trusts devices. One that is not here is new.</summary>
    public ImmutableDictionary<DeviceId, DeviceStanding> Standings { get; init; } = ImmutableDictionary<DeviceId, DeviceStanding>.Empty;

    /// <summary>How far a device is trusted as a server.</summary>
    public TrustTier TierOf(DeviceId device) => Standings.TryGetValue(device, out var standing) ? standing.Server : TrustTier.Probation;

    /// <summary>Whether a device gets no work.</summary>
    public bool IsExcluded(DeviceId device) => TierOf(device) == TrustTier.Excluded;

    /// <summary>Whether no ledger has answered for so long that what is here of it may be too old.</summary>
    public bool IsLedgerAway { get; init; }

    /// <summary>Whether a device may get new sessions: while no ledger answers, only one of which a ledger has said something.</summary>
    public bool MayTakeNew(DeviceId device) => !IsLedgerAway || (Standings.TryGetValue(device, out var standing) && standing.Revision > 0);

    /// <summary>How gladly routes use a device, above 0 and at most 1: a half where nobody can say.</summary>
    public double PreferenceOf(DeviceId device) => Standings.TryGetValue(device, out var standing) && standing.Preference > 0 ? standing.Preference : 0.5;

    /// <summary>Whether devices show by their certificates whose they are, so that one which shows none hides it.</summary>
    public bool ShowsOwners => Devices.Any(device => device is { Owner: not null, Certificate.IsEmpty: false });

    /// <summary>What a node sees before it has heard of anything.</summary>
    public static ClusterView Empty(Address self) => new(self, null, [], [], [], []);

    /// <summary>Whether the member at <paramref name="node"/> is up and answers heartbeats.</summary>
    public bool IsReachable(Address node) => Members.Any(member => member.Address.Equals(node) && member is { Status: MemberStatus.Up, Reachable: true });
}

/// <summary>A gateway that gives all files of a model.</summary>
/// <param name="Node">Its node's address.</param>
/// <param name="Model">The model.</param>
/// <param name="Layers">The model's layers.</param>
/// <param name="Files">Where.</param>
public sealed record ModelGiver(Address Node, ModelId Model, int Layers, FilesOffer Files);

/// <summary>One node.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Roles">Its roles.</param>
/// <param name="Status">Its state in the cluster.</param>
/// <param name="Reachable">Whether it answers heartbeats.</param>
/// <param name="Version">The version of its program.</param>
public sealed record NodeView(Address Address, ImmutableArray<string> Roles, MemberStatus Status, bool Reachable, string Version);
