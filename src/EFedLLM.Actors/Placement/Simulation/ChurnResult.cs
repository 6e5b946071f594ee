namespace EFedLLM.Actors.Placement.Simulation;

/// <summary>What a simulated cluster went through. All but the times of the planner follows from the settings alone.</summary>
/// <param name="Devices">Devices at the start.</param>
/// <param name="Departures">How often one went.</param>
/// <param name="Plans">How often was planned.</param>
/// <param name="Availability">The part of the time in which the devices that were there had a route, 0 to 1.</param>
/// <param name="Redundancy">The part of the time in which each unit was served by two devices or more, 0 to 1.</param>
/// <param name="Hops">Hops of the shortest route, averaged over the time with a route.</param>
/// <param name="ArrivalModelsPerHour">Bytes that devices loaded over the network when they came, each hour, in sizes of the model.</param>
/// <param name="MovedModelsPerHour">The same of devices that were there already: what the planner moved.</param>
/// <param name="FirstPlan">Time of the first plan, of all devices from nothing.</param>
/// <param name="MedianPlan">Median time of the plans after it.</param>
/// <param name="LongestPlan">The longest of them.</param>
public sealed record ChurnResult(
    int Devices,
    int Departures,
    int Plans,
    double Availability,
    double Redundancy,
    double Hops,
    double ArrivalModelsPerHour,
    double MovedModelsPerHour,
    TimeSpan FirstPlan,
    TimeSpan MedianPlan,
    TimeSpan LongestPlan);
