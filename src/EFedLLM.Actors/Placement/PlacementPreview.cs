using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>What the placement would do if the cluster were another one: the same planner, told of other devices. Changes nothing.</summary>
public static class PlacementPreview
{
    /// <summary>Most devices that can be added at once.</summary>
    public const int MostAdded = 256;

    /// <summary>The plans that would follow those of <paramref name="view"/>.</summary>
    /// <param name="view">The cluster. Who does not answer at present counts as away.</param>
    /// <param name="cacheShare">The part of a device's memory that is kept for caches, 0 to 1.</param>
    /// <param name="without">Devices that would be gone.</param>
    /// <param name="added">Devices that would be there as well; each could get at the files of all models.</param>
    /// <returns>A plan for each model that is asked for. Added devices are called by <see cref="AddedId"/>.</returns>
    public static ImmutableArray<PlacementPlan> Next(ClusterView view, double cacheShare, IReadOnlySet<DeviceId> without, IReadOnlyList<AddedDevice> added)
    {
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(without);
        ArgumentNullException.ThrowIfNull(added);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(added.Count, MostAdded);
        var reachable = view.Members.Where(member => member.Reachable).Select(member => member.Address).ToHashSet();
        var models = view.Models.Select(model => model.Model).ToImmutableArray();
        var other = view with
        {
            Devices =
            [
                .. view.Devices.Where(device => reachable.Contains(device.Node) && !without.Contains(device.Device)),
                .. added.Select((device, number) => new DeviceAnnouncement(
                    AddedId(number), "", view.Self, ActorRefs.Nobody, device.MemoryBytes, device.BytesPerSecond, models, [], false, 0)),
            ],
        };
        return [.. PlacementRound.Run(other, cacheShare, view.Plans.ToImmutableDictionary(plan => plan.Model))
            .Values.OrderBy(plan => view.Models.First(model => model.Model == plan.Model).Name, StringComparer.Ordinal)];
    }

    /// <summary>The id that an added device goes by: one that no key has.</summary>
    /// <param name="number">From 0.</param>
    public static DeviceId AddedId(int number) => new($"{new string('f', 24)}{number:x8}");

    /// <summary>Bytes of <paramref name="next"/> that its device does not hold while it was to hold <paramref name="now"/>.</summary>
    public static long BytesToLoad(ServedModel model, LayerRange? now, LayerRange next)
    {
        ArgumentNullException.ThrowIfNull(model);
        return next.IsValid(model.Layers) ? new UnitCosts(model).Missing(next.First, next.End, now is { } held && held.IsValid(model.Layers) ? held : null) : 0;
    }
}
