using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>Whose the devices are that a session may meet. One that has left meanwhile is still its owner's.</summary>
internal sealed class SessionOwners
{
    private readonly Dictionary<DeviceId, string> _owners = [];
    private readonly HashSet<DeviceId> _hiding = [];

    /// <summary>The cluster changed.</summary>
    public void Look(ClusterView view)
    {
        var isShown = view.ShowsOwners;
        foreach (var device in view.Devices)
        {
            if (device.Owner is { } owner)
            {
                _owners[device.Device] = owner;
            }

            if (isShown && device.Certificate.IsEmpty)
            {
                _hiding.Add(device.Device);
            }
            else
            {
                _hiding.Remove(device.Device);
            }
        }
    }

    /// <summary>Whose a device is, or null where nobody says.</summary>
    public string? Of(DeviceId device) => _owners.GetValueOrDefault(device);

    /// <summary>Whether a device does not show whose it is, where others do: a liar whose other devices are known would gain by that.</summary>
    public bool IsHidden(DeviceId device) => _hiding.Contains(device);
}
