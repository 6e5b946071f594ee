namespace EFedLLM.Actors.Placement.Simulation;

/// <summary>A cluster to simulate: as many devices as there are places, each of which is left and taken again at random.</summary>
public sealed record ChurnSettings
{
    /// <summary>Most <see cref="Devices"/>.</summary>
    public const int MostDevices = 100_000;

    /// <summary>Devices at the start, and about as many all the time.</summary>
    public required int Devices { get; init; }

    /// <summary>The part of the devices that goes in an hour, 0 and more; half of them says so before, half is gone at once.</summary>
    public required double ChurnPerHour { get; init; }

    /// <summary>How long.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>Everything random comes from this.</summary>
    public required int Seed { get; init; }

    /// <summary>How long somebody who goes is away on average. Then the same device comes back with what is on its disk, or, as often, another one in its place with nothing.</summary>
    public TimeSpan Absence { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long until the planner knows that a device is gone that did not say so.</summary>
    public TimeSpan Notice { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a device that says it goes stays, so that others can load what it holds.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromMinutes(1);
}
