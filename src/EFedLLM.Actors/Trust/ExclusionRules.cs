namespace EFedLLM.Actors.Trust;

/// <summary>What an exclusion means: broken hardware or a lie, and for how long.</summary>
public static class ExclusionRules
{
    /// <summary>No ban is longer.</summary>
    public static TimeSpan LongestBan { get; } = TimeSpan.FromDays(3650);

    /// <summary>Whether an excluded device is taken for broken rather than lying: most of what speaks against it is soft, or it gives the right answer when it is asked again.</summary>
    /// <param name="standing">Its standing.</param>
    /// <param name="rightOpenings">How many of <see cref="TrustSettings.Openings"/> openings of the disputed unit gave the right answer.</param>
    /// <param name="settings">The settings.</param>
    public static bool IsFaulty(RoleStanding standing, int rightOpenings, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(standing);
        ArgumentNullException.ThrowIfNull(settings);
        return standing.Soft > standing.Hard || rightOpenings >= settings.RightOpenings;
    }

    /// <summary>How long a liar is banned.</summary>
    /// <param name="earlier">How often it was banned before.</param>
    /// <param name="settings">The settings.</param>
    public static TimeSpan Ban(int earlier, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfNegative(earlier);
        var days = settings.Ban.TotalDays * Math.Pow(settings.BanGrowth, earlier);
        return days < LongestBan.TotalDays ? TimeSpan.FromDays(days) : LongestBan;
    }

    /// <summary>The statistic with which a banned device starts again.</summary>
    /// <param name="settings">The settings.</param>
    public static double ScoreOnReturn(TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings.ExcludeAt * settings.ReturnScore;
    }
}
