using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Http;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Api;

/// <summary>Plans for a question, and puts the answer into the form of the native interface.</summary>
internal static class PlanFactsBuilder
{
    /// <summary>The answer. Takes as long as planning does.</summary>
    /// <param name="view">What the node sees.</param>
    /// <param name="cacheShare">The part of a device's memory that is kept for caches.</param>
    /// <param name="question">The question.</param>
    /// <exception cref="ApiException">A device that would be gone is not known, or more than one could be meant.</exception>
    public static PlanFacts Build(ClusterView view, double cacheShare, PlanQuestion question)
    {
        var gone = question.Without.Select(name => Find(view, name)).ToHashSet();
        var names = view.Devices.ToDictionary(device => device.Device, device => device.Name);
        for (var number = 0; number < question.With.Count; number++)
        {
            names[PlacementPreview.AddedId(number)] = $"new {number + 1}";
        }

        var plans = PlacementPreview.Next(view, cacheShare, gone, question.With);
        return new PlanFacts([.. plans.Select(next => Model(view.Models.First(model => model.Model == next.Model), view.Plans.FirstOrDefault(plan => plan.Model == next.Model), next, gone, names))]);
    }

    private static DeviceId Find(ClusterView view, string name)
    {
        var matching = view.Devices.Where(device => device.Name == name).Select(device => device.Device).ToList();
        if (matching.Count == 0)
        {
            matching = [.. view.Devices.Select(device => device.Device).Where(device => device.Value.StartsWith(name, StringComparison.OrdinalIgnoreCase))];
        }

        return matching switch
        {
            [var only] => only,
            [] => throw ApiException.Invalid("without", $"There is no device {name}; \"efedllm cluster shards\" lists them."),
            _ => throw ApiException.Invalid("without", $"{matching.Count} devices are called {name}: give more digits of the id."),
        };
    }

    private static ModelPlan Model(ServedModel model, PlacementPlan? now, PlacementPlan next, HashSet<DeviceId> gone, Dictionary<DeviceId, string> names)
    {
        var before = (now?.Assignments ?? []).ToDictionary(assignment => assignment.Device);
        var after = next.Assignments.ToDictionary(assignment => assignment.Device);
        var devices = after.Keys.Union(before.Keys)
            .Select(device => Device(model, device, before.GetValueOrDefault(device), after.GetValueOrDefault(device), gone.Contains(device), names.GetValueOrDefault(device)))
            .OrderBy(device => (device.Next ?? device.Now)!.First)
            .ThenBy(device => (device.Next ?? device.Now)!.End)
            .ThenBy(device => device.Device, StringComparer.Ordinal)
            .ToList();
        return new ModelPlan(
            model.Model.Value, model.Name, now?.Version ?? 0, !ReferenceEquals(now, next), now?.Problem, next.Problem,
            devices.Sum(device => device.BytesToLoad), LeastHolders(model, next), devices);
    }

    private static DevicePlan Device(ServedModel model, DeviceId device, Assignment? before, Assignment? after, bool isGone, string? name)
    {
        var load = after is null ? 0 : PlacementPreview.BytesToLoad(model, before?.Range, after.Range);
        var reason = after?.Reason ?? (isGone ? "would be gone" : "would hold nothing: it leaves, does not answer, or is not needed");
        return new DevicePlan(device.Value, name, Units(model, before?.Range), Units(model, after?.Range), load, reason);
    }

    private static PlannedUnits? Units(ServedModel model, LayerRange? range) => range is { } units
        ? new PlannedUnits(units.First, units.End, units.IsValid(model.Layers) ? units.Describe(model.Layers) : units.ToString())
        : null;

    private static int LeastHolders(ServedModel model, PlacementPlan plan)
    {
        var holders = new int[model.UnitBytes.Length];
        foreach (var range in plan.Assignments.Select(assignment => assignment.Range).Where(range => range.IsValid(model.Layers)))
        {
            for (var unit = range.First; unit < range.End; unit++)
            {
                holders[unit]++;
            }
        }

        return holders.Min();
    }
}
