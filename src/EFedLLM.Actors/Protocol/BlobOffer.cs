using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Protocol;

/// <summary>What a device says of model files: which it gives to others, and which it is fetching. A device that says it can fetch what it lacks.</summary>
/// <param name="Port">The port, at its node's host, at which it gives them; 0 when it gives none.</param>
/// <param name="Held">The files it gives: at most <see cref="ProtocolLimits.AnnouncedRanges"/> models, each once.</param>
/// <param name="Fetching">What it fetches now.</param>
public sealed record BlobOffer(int Port, ImmutableArray<HeldFiles> Held, ImmutableArray<FetchingRange> Fetching)
{
    /// <summary>Whether it gives the file of a unit.</summary>
    public bool Holds(ModelId model, int unit)
        => Port > 0 && Held.Any(held => held.Model == model && held.Units.Any(range => range.First <= unit && unit < range.End));

    /// <inheritdoc/>
    public bool Equals(BlobOffer? other) => other is not null && Port == other.Port
        && Held.AsSpan().SequenceEqual(other.Held.AsSpan()) && Fetching.AsSpan().SequenceEqual(other.Fetching.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Port, Held.Length, Fetching.Length);
}

/// <summary>Which of a model's files a device gives. Whoever has any has its manifest too.</summary>
/// <param name="Model">The model.</param>
/// <param name="Units">Its units, as at most <see cref="ProtocolLimits.AnnouncedRanges"/> ranges in ascending order that do not touch.</param>
public sealed record HeldFiles(ModelId Model, ImmutableArray<LayerRange> Units)
{
    /// <inheritdoc/>
    public bool Equals(HeldFiles? other) => other is not null && Model == other.Model && Units.AsSpan().SequenceEqual(other.Units.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Model, Units.Length);
}

/// <summary>A range whose files a device is fetching.</summary>
/// <param name="Model">The model.</param>
/// <param name="Range">The units.</param>
/// <param name="DoneBytes">Bytes that are there.</param>
/// <param name="TotalBytes">Bytes of all its files; 0 while the manifest is not there.</param>
public sealed record FetchingRange(ModelId Model, LayerRange Range, long DoneBytes, long TotalBytes);
