using System.Collections.Immutable;
using System.Globalization;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>A plan in words, for people.</summary>
internal sealed class PlacementWords(ServedModel model, UnitCosts costs)
{
    /// <summary>The ranges with their reasons, in order of the units.</summary>
    /// <param name="devices">The devices.</param>
    /// <param name="ranges">What each gets.</param>
    /// <param name="before">What each was told before.</param>
    /// <param name="changes">Why a range is another one, where more than balance is behind it.</param>
    public ImmutableArray<Assignment> Explain(
        IReadOnlyCollection<PlacementDevice> devices,
        Dictionary<DeviceId, LayerRange> ranges,
        Dictionary<DeviceId, LayerRange> before,
        IReadOnlyDictionary<DeviceId, string> changes)
    {
        var coverage = new Coverage(costs);
        foreach (var range in ranges.Values)
        {
            coverage.Add(range, 0);
        }

        return [.. devices
            .Where(device => ranges.ContainsKey(device.Device))
            .OrderBy(device => ranges[device.Device].First)
            .ThenBy(device => ranges[device.Device].End)
            .ThenBy(device => device.Device.Value, StringComparer.Ordinal)
            .Select(device =>
            {
                var range = ranges[device.Device];
                var milliseconds = StreamedPlacement.Seconds(device, StreamNeed.Of(costs.UnitBytes, range), costs.Reads(range)) * 1000;
                var stream = costs.Bytes(range) > device.WeightBytes ? StreamPlan.Of(costs.UnitBytes, range, device.WeightBytes) : null;
                var streams = stream is null ? "" : $"streams {Size(stream.StreamedBytes)} from disk, ";
                var replicas = coverage.Fewest(range) is var holders and > 1 ? $"one of {holders} replicas; " : "";
                return new Assignment(
                    device.Device,
                    range,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{range.Describe(model.Layers)}: {replicas}{Size(costs.Bytes(range))} of {Size(device.WeightBytes)}, {streams}{milliseconds:0.000} ms a token; {Change(device, range, before, changes)}"),
                    stream?.MemoryBytes ?? 0);
            })];
    }

    /// <summary>Why the model cannot be covered, and what would help.</summary>
    /// <param name="devices">All devices.</param>
    /// <param name="able">Those that could hold a part.</param>
    /// <param name="part">What they hold.</param>
    public string Lacking(IReadOnlyCollection<PlacementDevice> devices, List<PlacementDevice> able, ImmutableArray<Assignment> part)
    {
        if (devices.Count == 0)
        {
            return $"There is no device yet for {model.Name}: start one with 'efedllm join'.";
        }

        if (able.Count == 0)
        {
            return $"None of the {devices.Count} devices can hold {model.Name}: {devices.Count(device => !device.HasFiles)} do not have its files, "
                + $"{devices.Count(device => device.Leaving)} are leaving, {devices.Count(device => device.WeightBytes <= 0)} have no memory left.";
        }

        // Memory beyond the whole model helps nobody.
        var memory = able.Sum(device => Math.Min((double)device.WeightBytes, costs.TotalBytes));
        var largest = Enumerable.Range(0, costs.Count).Max(unit => costs.Bytes(unit, unit + 1));
        var why = memory < costs.TotalBytes
            ? $"{Size(costs.TotalBytes - (long)memory)} of memory are lacking"
            : $"together that is enough, but it does not divide into whole units, the largest of which needs {Size(largest)}";
        return $"{model.Name} needs {Size(costs.TotalBytes)} for its weights; the {able.Count} devices that have its files give {Size((long)memory)}: {why}. "
            + $"Nobody holds {Missing(part)}.{(model.CanStream ? $" To stream it from disk, a device needs memory for two units: {Size(2 * largest)} for the largest." : "")}"
            + " Add a device, or raise efedllm.device.memory.";
    }

    private string Missing(ImmutableArray<Assignment> part)
    {
        var missing = new List<string>();
        for (var unit = 0; unit < costs.Count; unit++)
        {
            var first = unit;
            while (unit < costs.Count && !part.Any(assignment => assignment.Range.First <= unit && unit < assignment.Range.End))
            {
                unit++;
            }

            if (unit > first)
            {
                missing.Add($"{new LayerRange(first, unit).Describe(model.Layers)} ({Size(costs.Bytes(first, unit))})");
            }
        }

        return missing.Count > 0 ? string.Join(", ", missing) : "all of it at once";
    }

    private string Change(PlacementDevice device, LayerRange range, Dictionary<DeviceId, LayerRange> before, IReadOnlyDictionary<DeviceId, string> changes)
    {
        var held = before.TryGetValue(device.Device, out var planned) ? planned : device.Loaded;
        if (held == range)
        {
            return "as before";
        }

        var change = held is { } other && other.IsValid(model.Layers)
            ? $"before {other.Describe(model.Layers)}, {Size(costs.Missing(range.First, range.End, other))} to load"
            : "new here";
        return changes.TryGetValue(device.Device, out var why) ? $"{change}: {why}" : change;
    }

    private static string Size(long bytes) => bytes switch
    {
        < 1 << 10 => $"{bytes} bytes",
        < 1 << 20 => $"{bytes / 1024.0:0.#} KiB",
        < 1 << 30 => $"{bytes / (1024.0 * 1024):0.#} MiB",
        _ => $"{bytes / (1024.0 * 1024 * 1024):0.##} GiB",
    };
}
