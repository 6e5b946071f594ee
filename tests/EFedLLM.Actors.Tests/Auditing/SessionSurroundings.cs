using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>What an <see cref="AuditedSession"/> finds around it, where that is not the usual.</summary>
internal sealed record SessionSurroundings
{
    /// <summary>The gateway's node, as devices see it; always the same one when null.</summary>
    public Address? Gateway { get; init; }

    /// <summary>The key of each device, by its number: two with the same are one device on two machines.</summary>
    public Func<int, int>? Keys { get; init; }

    /// <summary>Whose the gateway is; nobody's when null.</summary>
    public string? Owner { get; init; }

    /// <summary>Whose each device is, by its number.</summary>
    public Func<int, string?>? Owners { get; init; }

    /// <summary>Whether a device shows by a certificate whose it is, by its number; none does when null.</summary>
    public Func<int, bool>? Shows { get; init; }

    /// <summary>Whether no ledger answers, and none has for a while.</summary>
    public bool IsLedgerAway { get; init; }

    /// <summary>What the pipeline hears instead of what a device sends it, by the device's number.</summary>
    public Func<int, ISessionMessage, IEnumerable<ISessionMessage>>? Tampers { get; init; }

    /// <summary>What devices compute with, which stays the giver's.</summary>
    public Func<LayerRange, Saboteur?, TransformerShard>? Shards { get; init; }
}
