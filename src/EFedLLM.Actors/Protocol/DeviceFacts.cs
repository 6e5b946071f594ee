using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Protocol;

/// <summary>A range a device has loaded and serves.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The units.</param>
/// <param name="Shard">The LayerShard actor.</param>
/// <param name="WeightBytes">Bytes of its weights.</param>
/// <param name="StreamedBytes">Bytes of them that it reads from disk for every step; 0 where all are in memory.</param>
public sealed record LoadedRange(ModelId Model, LayerRange Range, IActorRef Shard, long WeightBytes, long StreamedBytes = 0);

/// <summary>What a device says of itself, in distributed data under its id. Claims: verified by what it serves.</summary>
/// <param name="Device">The device.</param>
/// <param name="Name">A name for people.</param>
/// <param name="Node">Its cluster address.</param>
/// <param name="Host">Its layer host actor.</param>
/// <param name="MemoryBytes">Memory it gives to weights and caches.</param>
/// <param name="BytesPerSecond">Measured speed: bytes of weights it reads through its kernels per second.</param>
/// <param name="Models">Models all of whose files it has.</param>
/// <param name="Loaded">Ranges it serves now.</param>
/// <param name="Leaving">Whether it is draining.</param>
/// <param name="Revision">Grows with each announcement of the device; starts at its start time, so it survives restarts.</param>
/// <param name="Blobs">What it gives and fetches of model files, or null for a device that does neither.</param>
public sealed record DeviceAnnouncement(
    DeviceId Device,
    string Name,
    Address Node,
    IActorRef Host,
    long MemoryBytes,
    double BytesPerSecond,
    ImmutableArray<ModelId> Models,
    ImmutableArray<LoadedRange> Loaded,
    bool Leaving,
    long Revision,
    BlobOffer? Blobs = null) : IEvent
{
    /// <summary>Round trips to other devices, at most <see cref="ProtocolLimits.LinkSamples"/>.</summary>
    public ImmutableArray<LinkSample> Links { get; init; } = [];

    /// <summary>Its Ed25519 public key, 32 bytes, whose hash is <see cref="Device"/>: everybody can check what it signs. Empty where it signs nothing.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; init; }

    /// <summary>
    /// Whose it is; null where nobody says. In a <see cref="ClusterView"/> of a node with TLS it is what <see cref="Certificate"/> says, whatever
    /// the device does; elsewhere a claim, which helps the honest keep apart and hinders no liar.
    /// </summary>
    public string? Owner { get; init; }

    /// <summary>Its certificate from the cluster's authority, DER, which names it and whose it is; empty where it shows none. In a <see cref="ClusterView"/> only one that was checked.</summary>
    public ReadOnlyMemory<byte> Certificate { get; init; }

    /// <inheritdoc/>
    public bool Equals(DeviceAnnouncement? other) => other is not null && Device == other.Device && Name == other.Name && Node.Equals(other.Node)
        && Host.Equals(other.Host) && MemoryBytes == other.MemoryBytes && BytesPerSecond.Equals(other.BytesPerSecond)
        && Models.AsSpan().SequenceEqual(other.Models.AsSpan()) && Loaded.AsSpan().SequenceEqual(other.Loaded.AsSpan())
        && Leaving == other.Leaving && Revision == other.Revision && Blobs == other.Blobs && Links.AsSpan().SequenceEqual(other.Links.AsSpan())
        && PublicKey.Span.SequenceEqual(other.PublicKey.Span) && Owner == other.Owner && Certificate.Span.SequenceEqual(other.Certificate.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Device, Revision);
}

/// <summary>A model the cluster is asked to serve; published by gateways.</summary>
/// <param name="Model">The model.</param>
/// <param name="Name">Its name for people and clients.</param>
/// <param name="HiddenSize">Width of the residual stream.</param>
/// <param name="UnitBytes">Weight bytes of each unit in order (embedding, layers, head).</param>
/// <param name="UnitReadBytes">Weight bytes one token reads of each unit (one row of the embedding).</param>
/// <param name="UnitCacheBytes">KV bytes per position of each unit.</param>
/// <param name="ContextLength">Most positions of a session.</param>
/// <param name="BitsPerWeight">For people.</param>
/// <param name="Files">Where the gateway gives all of the model's files, or null when it gives none.</param>
/// <param name="CanStream">Whether a device may read a part of it from disk for every step, where memory does not hold all.</param>
public sealed record ServedModel(
    ModelId Model,
    string Name,
    int HiddenSize,
    ImmutableArray<long> UnitBytes,
    ImmutableArray<long> UnitReadBytes,
    ImmutableArray<long> UnitCacheBytes,
    int ContextLength,
    double BitsPerWeight,
    FilesOffer? Files = null,
    bool CanStream = false) : IEvent
{
    /// <summary>Number of transformer layers.</summary>
    public int Layers => UnitBytes.Length - 2;

    /// <inheritdoc/>
    public bool Equals(ServedModel? other) => other is not null && Model == other.Model && Name == other.Name && HiddenSize == other.HiddenSize
        && UnitBytes.AsSpan().SequenceEqual(other.UnitBytes.AsSpan()) && UnitReadBytes.AsSpan().SequenceEqual(other.UnitReadBytes.AsSpan())
        && UnitCacheBytes.AsSpan().SequenceEqual(other.UnitCacheBytes.AsSpan()) && ContextLength == other.ContextLength
        && BitsPerWeight.Equals(other.BitsPerWeight) && Files == other.Files && CanStream == other.CanStream;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Model, Name);
}

/// <summary>Where a gateway gives the files of a model that it asks for: the devices that are to hold it must get it from somebody.</summary>
/// <param name="Giver">The id of the gateway's key; the ledger is told of false files under it.</param>
/// <param name="Port">The port, at its node's host.</param>
public sealed record FilesOffer(DeviceId Giver, int Port);

/// <summary>What one device is to hold.</summary>
/// <param name="Device">The device.</param>
/// <param name="Range">The units.</param>
/// <param name="Reason">Why, for people.</param>
/// <param name="MemoryBytes">Memory for its weights where that is less than they have, so that the rest is read from disk for every step; 0 where all of them fit.</param>
public sealed record Assignment(DeviceId Device, LayerRange Range, string Reason, long MemoryBytes = 0);

/// <summary>Who is to hold what of one model; published by the placement singleton in distributed data.</summary>
/// <param name="Model">The model.</param>
/// <param name="Version">Grows with each plan.</param>
/// <param name="Assignments">At most one range per device; together they cover the model when <paramref name="Problem"/> is null.</param>
/// <param name="Problem">Why no cover is possible, for people; null when there is one.</param>
public sealed record PlacementPlan(ModelId Model, long Version, ImmutableArray<Assignment> Assignments, string? Problem) : IEvent
{
    /// <inheritdoc/>
    public bool Equals(PlacementPlan? other) => other is not null && Model == other.Model && Version == other.Version
        && Problem == other.Problem && Assignments.AsSpan().SequenceEqual(other.Assignments.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Model, Version);
}
