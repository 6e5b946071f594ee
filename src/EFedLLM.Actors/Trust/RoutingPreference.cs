namespace EFedLLM.Actors.Trust;

/// <summary>
/// How gladly routes use a device: the mean of a beta distribution over what it did, (a + 1) / (a + b + 2), with what is long ago counting
/// less. It orders devices that are trusted; it never excludes one.
/// </summary>
/// <param name="Passed">The a: what passed, as it counted at <paramref name="At"/>.</param>
/// <param name="Failed">The b: what failed, weighted, as it counted at <paramref name="At"/>.</param>
/// <param name="At">The time of the latest of it.</param>
public sealed record RoutingPreference(double Passed, double Failed, DateTimeOffset At)
{
    /// <summary>Nothing known: a half.</summary>
    public static RoutingPreference New { get; } = new(0, 0, DateTimeOffset.MinValue);

    /// <summary>The preference after one more check.</summary>
    /// <param name="outcome">What it showed.</param>
    /// <param name="at">When; before <see cref="At"/> it counts as then.</param>
    /// <param name="settings">The settings.</param>
    public RoutingPreference After(CheckOutcome outcome, DateTimeOffset at, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var kept = Kept(at, settings);
        var passed = outcome == CheckOutcome.Passed;
        return new RoutingPreference((Passed * kept) + (passed ? 1 : 0), (Failed * kept) + (passed ? 0 : settings.FailureWeight), at > At ? at : At);
    }

    /// <summary>The preference as if a failure had never been: what it still counts for is taken out.</summary>
    /// <param name="at">When it was.</param>
    /// <param name="settings">The settings by which it was counted.</param>
    public RoutingPreference WithoutFailure(DateTimeOffset at, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var left = At > at ? Math.Pow(0.5, (double)(At - at).Ticks / settings.HalfLife.Ticks) : 1;
        return this with { Failed = Math.Max(0, Failed - (settings.FailureWeight * left)) };
    }

    /// <summary>How gladly the device is used.</summary>
    /// <param name="speed">Its speed, in whatever unit the devices are compared.</param>
    /// <param name="now">The time.</param>
    /// <param name="settings">The settings.</param>
    public double Of(double speed, DateTimeOffset now, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var kept = Kept(now, settings);
        return ((Passed * kept) + 1) / (((Passed + Failed) * kept) + 2) * speed;
    }

    private double Kept(DateTimeOffset now, TrustSettings settings)
        => now > At ? Math.Pow(0.5, (double)(now - At).Ticks / settings.HalfLife.Ticks) : 1;
}
