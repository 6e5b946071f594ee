namespace EFedLLM.Node.Api;

/// <summary>One simulated cluster, as <c>efedllm cluster simulate --json</c> prints it.</summary>
/// <param name="Devices">Devices.</param>
/// <param name="ChurnPerHour">The part of them that goes in an hour.</param>
/// <param name="Hours">Simulated hours.</param>
/// <param name="Departures">How often one went.</param>
/// <param name="Plans">How often was planned.</param>
/// <param name="Availability">The part of the time with a route, 0 to 1.</param>
/// <param name="Redundancy">The part of the time in which each unit was served twice, 0 to 1.</param>
/// <param name="Hops">Hops of the shortest route, on average.</param>
/// <param name="ArrivalModelsPerHour">What arriving devices loaded each hour, in sizes of the model.</param>
/// <param name="MovedModelsPerHour">What the other devices loaded each hour because the planner moved them.</param>
/// <param name="FirstPlanMilliseconds">Time of the plan from nothing.</param>
/// <param name="MedianPlanMilliseconds">Median time of those after it.</param>
/// <param name="LongestPlanMilliseconds">The longest of those.</param>
internal sealed record SimulationRow(
    int Devices,
    double ChurnPerHour,
    double Hours,
    int Departures,
    int Plans,
    double Availability,
    double Redundancy,
    double Hops,
    double ArrivalModelsPerHour,
    double MovedModelsPerHour,
    double FirstPlanMilliseconds,
    double MedianPlanMilliseconds,
    double LongestPlanMilliseconds);
