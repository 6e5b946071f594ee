using EFedLLM.Actors.Placement;

namespace EFedLLM.Node.Api;

/// <summary>Which plan is asked for: the next one as things are, or if devices were gone or added.</summary>
/// <param name="Without">Ids, beginnings of ids, or names of devices that would be gone.</param>
/// <param name="With">Devices that would be there as well.</param>
internal sealed record PlanQuestion(IReadOnlyList<string> Without, IReadOnlyList<AddedDevice> With)
{
    /// <summary>Most entries of each kind.</summary>
    public const int Most = PlacementPreview.MostAdded;
}

/// <summary>Answer of <c>GET /efedllm/v1/plan</c>: who is to hold what now, and who would with the next plan. Nothing is changed by asking.</summary>
/// <param name="Models">The models, by name.</param>
internal sealed record PlanFacts(IReadOnlyList<ModelPlan> Models);

/// <summary>One model's plans.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Version">Version of the plan of now; 0 before the first.</param>
/// <param name="Changes">Whether the next plan is another one.</param>
/// <param name="Problem">Why the plan of now does not cover the model, or null.</param>
/// <param name="NextProblem">Why the next one would not, or null.</param>
/// <param name="BytesToLoad">Bytes that devices would load for the next plan.</param>
/// <param name="LeastHolders">Devices that hold the unit with the fewest, with the next plan.</param>
/// <param name="Devices">The devices that hold or would hold a part, in order of the units.</param>
internal sealed record ModelPlan(
    string Id, string Name, long Version, bool Changes, string? Problem, string? NextProblem, long BytesToLoad, int LeastHolders, IReadOnlyList<DevicePlan> Devices);

/// <summary>One device's part of a model.</summary>
/// <param name="Device">Its id; that of one that is not there yet belongs to nobody.</param>
/// <param name="Name">Its name; <c>new 1</c>, <c>new 2</c>, … for those that are not there yet; null where nobody is known by the id any more.</param>
/// <param name="Now">What it is to hold, or null.</param>
/// <param name="Next">What it would hold, or null.</param>
/// <param name="BytesToLoad">Bytes that it would load.</param>
/// <param name="Reason">Why it would hold that, or that it would hold nothing.</param>
internal sealed record DevicePlan(string Device, string? Name, PlannedUnits? Now, PlannedUnits? Next, long BytesToLoad, string Reason);

/// <summary>A range of units.</summary>
/// <param name="First">First unit.</param>
/// <param name="End">One past the last unit.</param>
/// <param name="Units">The units in words.</param>
internal sealed record PlannedUnits(int First, int End, string Units);
