using Akka.Actor;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Layers;

/// <summary>What a device starts with.</summary>
public sealed record DeviceSettings
{
    /// <summary>Its identity.</summary>
    public required DeviceId DeviceId { get; init; }

    /// <summary>Its key, with which it signs what it computes: whose id it bears. Null for a device that signs nothing, and so serves no session that asks for receipts. It stays the caller's.</summary>
    public DeviceKey? Key { get; init; }

    /// <summary>Whose it says that it is, or null; where there are certificates, <see cref="Certificate"/> counts instead.</summary>
    public string? Owner { get; init; }

    /// <summary>Its certificate, as <see cref="NodeCertificate.Shown"/> gives it, by which others see whose it is; empty where it has none.</summary>
    public ReadOnlyMemory<byte> Certificate { get; init; }

    /// <summary>A name for people.</summary>
    public required string Name { get; init; }

    /// <summary>The models it can load from: folders of factored models, or of checkpoints, which it computes in float32. One that cannot be opened is logged and left out.</summary>
    public required IReadOnlyList<string> ModelFolders { get; init; }

    /// <summary>Gives its files to others and fetches those that it lacks; null for a device that does neither.</summary>
    public DeviceBlobs? Blobs { get; init; }

    /// <summary>Takes what the ledger is to be told of peers that give false files; or null. Asked on the device's thread: it must not wait.</summary>
    public Action<WorkReport>? Report { get; init; }

    /// <summary>What it gives and bears.</summary>
    public required NodeLimits Limits { get; init; }

    /// <summary>The node's view actor; see <see cref="SubscribeView"/>.</summary>
    public required IActorRef View { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>How long the sessions of a range that is given up may go on before they are ended. A higher value lets more answers finish; a lower one follows a new plan sooner.</summary>
    public TimeSpan DrainGrace { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Called when a gateway asks the device to leave: whoever runs it ends its actor system in order. Null is a device that cannot be asked.</summary>
    public Action? LeaveAsked { get; init; }

    /// <summary>Told what a device that leaves waits for, for people; on any thread.</summary>
    public Action<string>? LeaveTold { get; init; }

    /// <summary>What it does wrong on purpose, for demonstrations and tests; null for an honest device.</summary>
    public Saboteur? Saboteur { get; init; }

    /// <summary>Opens a folder of <see cref="ModelFolders"/>.</summary>
    internal Func<string, IModelSource> OpenModel { get; init; } = ModelFolder.Open;

    /// <summary>Shows, on the compute thread, that the device computes rightly. One that does not never serves.</summary>
    internal Func<ComputeTeam, bool> IsSound { get; init; } = GoldenVectors.AreRight;

    /// <summary>The memory for KV caches, or null for the share of <see cref="Limits"/>.</summary>
    internal CacheBudget? Cache { get; init; }
}
