using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Blobs;

/// <summary>A device or a gateway that gives files.</summary>
/// <param name="Device">The id of its key.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Address">Base address of its files.</param>
/// <param name="Offer">What it says it gives.</param>
public sealed record BlobPeer(DeviceId Device, string Name, Uri Address, BlobOffer Offer)
{
    /// <summary>
    /// The devices of a view that give files, can be reached and are not excluded, but for <paramref name="self"/>, and then the gateways. Where they give them
    /// is their node's host; only the port is theirs to say.
    /// </summary>
    /// <param name="view">The cluster.</param>
    /// <param name="self">The device that looks.</param>
    /// <param name="tls">Whether the cluster uses TLS.</param>
    public static ImmutableArray<BlobPeer> Of(ClusterView view, DeviceId self, bool tls)
    {
        ArgumentNullException.ThrowIfNull(view);
        return
        [
            .. from device in view.Devices
               where device.Device != self && !view.IsExcluded(device.Device) && device.Blobs is { Port: > 0 } && device.Node.Host is not null && view.IsReachable(device.Node)
               let address = AddressOf(device.Node.Host!, device.Blobs!.Port, tls)
               where address is not null
               select new BlobPeer(device.Device, device.Name, address, device.Blobs!),
            .. from giver in view.Givers
               group giver by (giver.Node, giver.Files.Giver, giver.Files.Port) into gateway
               let id = gateway.Key.Giver
               where id != self && !view.IsExcluded(id) && view.Devices.All(device => device.Device != id) && gateway.Key.Node.Host is not null && view.IsReachable(gateway.Key.Node)
               let address = AddressOf(gateway.Key.Node.Host!, gateway.Key.Port, tls)
               where address is not null
               select new BlobPeer(id, $"gateway {gateway.Key.Node.Host}:{gateway.Key.Node.Port}", address, new BlobOffer(
                   gateway.Key.Port, [.. gateway.Select(giver => new HeldFiles(giver.Model, [LayerRange.Whole(giver.Layers)]))], [])),
        ];
    }

    /// <summary>Whether it has the manifest of a model.</summary>
    public bool Knows(ModelId model) => Offer.Held.Any(held => held.Model == model);

    private static Uri? AddressOf(string host, int port, bool tls)
    {
        var bracketed = host.Contains(':', StringComparison.Ordinal) && !host.StartsWith('[') ? $"[{host}]" : host;
        return Uri.TryCreate($"{(tls ? "https" : "http")}://{bracketed}:{port}/", UriKind.Absolute, out var address) ? address : null;
    }
}
