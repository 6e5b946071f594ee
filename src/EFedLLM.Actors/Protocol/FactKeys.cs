using Akka.Actor;
using Akka.DistributedData;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Protocol;

/// <summary>Where facts about devices, models and plans lie in distributed data.</summary>
public static class FactKeys
{
    /// <summary>What each device announces, under its id. Written by the device alone; the placement removes those of nodes that are gone.</summary>
    public static LWWDictionaryKey<string, DeviceAnnouncement> Devices { get; } = new("devices");

    /// <summary>What each gateway asks to be served, under <see cref="ModelEntry"/>. Written by the gateway alone; the placement removes those of nodes that are gone.</summary>
    public static LWWDictionaryKey<string, ServedModel> Models { get; } = new("models");

    /// <summary>The plan of each model, under the model's id. Written by the placement alone.</summary>
    public static LWWDictionaryKey<string, PlacementPlan> Plans { get; } = new("plans");

    /// <summary>What the cluster's authority decided about devices: it only grows. Written by the node that has the authority's key, and again by every node that starts knowing of one.</summary>
    public static GSetKey<SignedRevocation> Revocations { get; } = new("revocations");

    /// <summary>How far the ledger trusts devices, under their ids. Written by ledger nodes alone.</summary>
    public static LWWDictionaryKey<string, DeviceStanding> Standings { get; } = new("standings");

    /// <summary>The entry of a gateway's model: two gateways that ask for one model have an entry each, so that the end of one does not end the model.</summary>
    public static string ModelEntry(Address gateway, ModelId model)
    {
        ArgumentNullException.ThrowIfNull(gateway);
        return $"{gateway} {model.Value}";
    }
}
