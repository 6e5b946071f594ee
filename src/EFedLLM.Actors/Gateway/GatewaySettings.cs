using Akka.Actor;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Gateway;

/// <summary>What a gateway starts with.</summary>
public sealed record GatewaySettings
{
    /// <summary>The models it asks the cluster to serve; the first is the one a prompt means that names none.</summary>
    public required IReadOnlyList<GatewayModel> Models { get; init; }

    /// <summary>Where its node gives the files of those models, or null when it gives none.</summary>
    public FilesOffer? Files { get; init; }

    /// <summary>The id of its node's key, under which the ledger hears of what it checks itself.</summary>
    public DeviceId Id { get; init; }

    /// <summary>Whose its node is, whose own devices earn nothing by it; null where nobody says.</summary>
    public string? Owner { get; init; }

    /// <summary>How it checks devices.</summary>
    public TrustSettings Trust { get; init; } = new() { IsOn = false };

    /// <summary>Where it keeps what proves its verdicts; null where it keeps nothing.</summary>
    public ProofStore? Proofs { get; init; }

    /// <summary>What it bears.</summary>
    public required NodeLimits Limits { get; init; }

    /// <summary>The node's view actor; see <see cref="SubscribeView"/>.</summary>
    public required IActorRef View { get; init; }

    /// <summary>The node's work reporter; takes <see cref="WorkReport"/>.</summary>
    public required IActorRef Reporter { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
