using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Placement;

/// <summary>Announcements and models to place.</summary>
internal static class Facts
{
    public static KeyValuePair<string, DeviceAnnouncement> Entry(DeviceAnnouncement device) => new(device.Device.Value, device);

    /// <summary>A device whose id repeats a digit and whose name is that digit.</summary>
    public static DeviceAnnouncement Device(char digit, Address node, IActorRef? host = null, params ModelId[] models)
        => new(new DeviceId(new string(digit, 32)), $"{digit}", node, host ?? ActorRefs.Nobody, 1 << 20, 1e9, [.. models], [], false, 1);

    /// <summary>A model of so many layers, each of 1000 bytes; a token reads one row of 10 bytes of the embedding's 1000.</summary>
    public static ServedModel Model(char digit, string name, int layers)
    {
        var bytes = Enumerable.Repeat(1000L, layers + 2).ToImmutableArray();
        return new ServedModel(new ModelId(new string(digit, 64)), name, 64, bytes, bytes.SetItem(0, 10), [.. bytes.Select(_ => 16L)], 512, 8.5);
    }
}
