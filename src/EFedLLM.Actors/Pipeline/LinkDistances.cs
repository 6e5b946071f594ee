using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>How far devices are from one another, in steps that are worth a detour. Of a link that nobody measured nothing is known, so it counts as none.</summary>
internal sealed class LinkDistances
{
    // Less than this is a LAN, where it varies more than it differs.
    private const float StepMilliseconds = 5;

    private readonly Dictionary<(DeviceId, DeviceId), int> _steps = [];

    /// <summary>As devices announced them. What the two ends of a link say differently counts as the longer.</summary>
    public LinkDistances(ImmutableArray<DeviceAnnouncement> devices)
    {
        foreach (var device in devices)
        {
            foreach (var link in device.Links)
            {
                // One second and more is the same to everybody.
                var steps = (int)Math.Min(link.Milliseconds / StepMilliseconds, 200);
                if (steps > 0)
                {
                    var ends = Ends(device.Device, link.Peer);
                    _steps[ends] = Math.Max(_steps.GetValueOrDefault(ends), steps);
                }
            }
        }
    }

    /// <summary>Steps between two devices; 0 is near or not known.</summary>
    public int Between(DeviceId one, DeviceId other) => _steps.Count == 0 ? 0 : _steps.GetValueOrDefault(Ends(one, other));

    private static (DeviceId, DeviceId) Ends(DeviceId one, DeviceId other) => string.CompareOrdinal(one.Value, other.Value) < 0 ? (one, other) : (other, one);
}
