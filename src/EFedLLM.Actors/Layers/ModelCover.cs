using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>How far the others are with taking over one model.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="State">How far.</param>
/// <param name="Problem">Why they cannot, for people; null when they can.</param>
internal sealed record ModelCover(string Name, CoverState State, string? Problem = null)
{
    /// <summary>
    /// How far the others are when <paramref name="device"/> leaves. Only what the plan wants counts, and only on devices that stay: of two
    /// devices that leave at once, neither may take the other for its cover, and the plan is what both wait for.
    /// </summary>
    /// <param name="view">The cluster.</param>
    /// <param name="device">The device that leaves.</param>
    /// <param name="model">A model of which it holds a part.</param>
    public static ModelCover Of(ClusterView view, DeviceId device, ModelId model)
    {
        if (view.Models.FirstOrDefault(served => served.Model == model) is not { } served)
        {
            return new ModelCover(model.Short, CoverState.Unneeded);
        }

        var plan = view.Plans.FirstOrDefault(plan => plan.Model == model);
        if (plan is null || plan.Assignments.Any(assignment => assignment.Device == device))
        {
            return new ModelCover(served.Name, CoverState.Unplanned);
        }

        if (plan.Problem is { } problem)
        {
            return new ModelCover(served.Name, CoverState.Impossible, problem);
        }

        var wanted = plan.Assignments.ToDictionary(assignment => assignment.Device, assignment => assignment.Range);
        var staying = view with
        {
            Devices = [.. view.Devices
                .Where(other => other.Device != device && !other.Leaving && wanted.ContainsKey(other.Device))
                .Select(other => other with { Loaded = [.. other.Loaded.Where(loaded => loaded.Model == model && loaded.Range == wanted[other.Device])] })],
        };
        return new ModelCover(served.Name, RoutePlanner.Plan(staying, served).Route is null ? CoverState.Loading : CoverState.Loaded);
    }
}
