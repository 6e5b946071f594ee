using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>Plans every model that is asked for, in order of their names: each gets what memory the ones before it leave. A device that is excluded gets nothing.</summary>
internal static class PlacementRound
{
    /// <summary>The plans for a view.</summary>
    /// <param name="view">The cluster.</param>
    /// <param name="cacheShare">The part of a device's memory that is kept for caches, 0 to 1.</param>
    /// <param name="previous">The plans so far.</param>
    /// <returns>One plan for each model of the view; the same object where nothing changes. Versions grow over all models, so that a model that comes back is not behind what devices remember of it.</returns>
    public static ImmutableDictionary<ModelId, PlacementPlan> Run(ClusterView view, double cacheShare, ImmutableDictionary<ModelId, PlacementPlan> previous)
    {
        var trusted = view.Devices.Where(device => !view.IsExcluded(device.Device)).ToList();
        var plans = ImmutableDictionary.CreateBuilder<ModelId, PlacementPlan>();
        var left = trusted.ToDictionary(device => device.Device, device => (long)(Math.Max(device.MemoryBytes, 0) * (1 - cacheShare)));
        var version = previous.Values.Select(plan => plan.Version).DefaultIfEmpty(0).Max();
        foreach (var model in view.Models)
        {
            var before = previous.GetValueOrDefault(model.Model);
            var devices = trusted.Select(device => new PlacementDevice(
                device.Device,
                left[device.Device],
                device.BytesPerSecond,
                device.Models.Contains(model.Model) || device.Blobs is not null,
                device.Loaded.Where(loaded => loaded.Model == model.Model).Select(loaded => (LayerRange?)loaded.Range).FirstOrDefault(),
                device.Leaving)
            {
                HeldUnits = device.Models.Contains(model.Model)
                    ? [LayerRange.Whole(model.Layers)]
                    : device.Blobs?.Held.FirstOrDefault(held => held.Model == model.Model)?.Units ?? [],
                Links = device.Links,
            }).ToList();
            var plan = PlacementPlanner.Plan(model, devices, before);
            plans[model.Model] = ReferenceEquals(plan, before) ? plan : plan with { Version = ++version };
            var costs = new UnitCosts(model);
            foreach (var assignment in plan.Assignments)
            {
                left[assignment.Device] -= assignment.MemoryBytes > 0 ? assignment.MemoryBytes : costs.Bytes(assignment.Range);
            }
        }

        return plans.ToImmutable();
    }
}
