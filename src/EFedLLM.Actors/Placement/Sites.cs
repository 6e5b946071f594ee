using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Which devices are near one another: in one home, one office, one data centre. Each site is given a whole model where it can hold one, so
/// that routes stay inside.
/// </summary>
internal static class Sites
{
    /// <summary>No site: nobody near is known.</summary>
    public const int None = -1;

    /// <summary>Devices with a shorter round trip than this are at one site. A LAN has 0.1 to 3 ms, the next town 10 and more.</summary>
    private const float NearMilliseconds = 5;

    // Coverage is counted for each site.
    private const int Most = 64;

    /// <summary>The site of each device, the largest first: 0, 1, … or <see cref="None"/>. What two devices say of one link differently counts as the longer.</summary>
    public static int[] Of(IReadOnlyList<PlacementDevice> devices)
    {
        var index = new Dictionary<DeviceId, int>(devices.Count);
        for (var device = 0; device < devices.Count; device++)
        {
            index.Add(devices[device].Device, device);
        }

        var links = new Dictionary<(int, int), float>();
        for (var device = 0; device < devices.Count; device++)
        {
            foreach (var link in devices[device].Links)
            {
                if (index.TryGetValue(link.Peer, out var peer) && peer != device)
                {
                    var ends = (Math.Min(device, peer), Math.Max(device, peer));
                    links[ends] = Math.Max(links.GetValueOrDefault(ends), link.Milliseconds);
                }
            }
        }

        // Each device points to one nearer to its site's first; the first to itself.
        var towards = Enumerable.Range(0, devices.Count).ToArray();
        foreach (var ((one, other), milliseconds) in links)
        {
            if (milliseconds < NearMilliseconds)
            {
                var (a, b) = (First(one), First(other));
                towards[Math.Max(a, b)] = Math.Min(a, b);
            }
        }

        var sites = Enumerable.Range(0, devices.Count)
            .GroupBy(First)
            .Where(site => site.Skip(1).Any())
            .OrderByDescending(site => site.Count())
            .ThenBy(site => site.Key)
            .Take(Most)
            .Select((site, number) => (site.Key, number))
            .ToDictionary();
        return [.. Enumerable.Range(0, devices.Count).Select(device => sites.GetValueOrDefault(First(device), None))];

        int First(int device)
        {
            while (towards[device] != device)
            {
                device = towards[device] = towards[towards[device]];
            }

            return device;
        }
    }
}
