namespace EFedLLM.Actors.Placement;

/// <summary>How patient the placement is.</summary>
/// <param name="Settle">How long changes are collected before the planner runs. A higher value plans less often while many devices come at once.</param>
/// <param name="FirstDevices">How long the first plan waits, after the first device, for as many as are expected.</param>
/// <param name="Unknown">Facts of a node that was never seen as a member are removed after so long, twice so long at most: it may be one that joins just now.</param>
/// <param name="Missing">A device that does not answer for so long is planned without, though it may still be a member. A higher value moves fewer layers when a connection only breaks for a moment.</param>
internal sealed record PlacementTimings(TimeSpan Settle, TimeSpan FirstDevices, TimeSpan Unknown, TimeSpan Missing)
{
    /// <summary>What a node uses.</summary>
    public static PlacementTimings Default { get; } = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(30), TimeSpan.FromMilliseconds(500));
}
