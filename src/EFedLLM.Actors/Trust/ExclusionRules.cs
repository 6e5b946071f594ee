namespace EFedLLM.Actors.Trust;

/// <summary>What an exclusion means: broken hardware or a lie, and for how long.</summary>
public static class ExclusionRules
{
    /// <summary>No ban is longer.</summary>
    public static TimeSpan LongestBan { get; } = TimeSpan.FromDays(3650);

    private const int FewestHard = 3;

    // Rare failures happen to be close now and then, but seldom more than one in so many.
    private const int PausesOfAClose = 4;

    /// <summary>
    /// Whether an excluded device is taken for broken rather than lying: most of what speaks against it is soft, or it gives the right answer when it is asked again, or
    /// its hard failures are as rare as bit errors are (<see cref="IsRare"/>).
    /// </summary>
    /// <param name="standing">Its standing.</param>
    /// <param name="rightOpenings">How many of <see cref="TrustSettings.Openings"/> openings of the disputed unit gave the right answer.</param>
    /// <param name="settings">The settings.</param>
    public static bool IsFaulty(RoleStanding standing, int rightOpenings, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(standing);
        ArgumentNullException.ThrowIfNull(settings);
        return standing.Soft > standing.Hard || rightOpenings >= settings.RightOpenings || IsRare(standing, settings);
    }

    /// <summary>
    /// Whether hard failures, three at least, are as rare as bit errors: of the pauses between them at most one in four, and not the last, is shorter than
    /// <see cref="TrustSettings.FaultyPasses"/> checks that passed. Whoever is wrong so rarely gains next to nothing by it; and whoever lies at every turn after a long honest
    /// time shows several pauses that are short.
    /// </summary>
    /// <param name="standing">Its standing.</param>
    /// <param name="settings">The settings.</param>
    public static bool IsRare(RoleStanding standing, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(standing);
        ArgumentNullException.ThrowIfNull(settings);
        var passed = standing.HardPassed;
        if (settings.FaultyPasses == 0 || passed.Length < FewestHard || passed[^1] - passed[^2] < settings.FaultyPasses)
        {
            return false;
        }

        var close = 0;
        for (var failure = 1; failure < passed.Length; failure++)
        {
            close += passed[failure] - passed[failure - 1] < settings.FaultyPasses ? 1 : 0;
        }

        return close <= (passed.Length - 1) / PausesOfAClose;
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

    /// <summary>What a new exclusion means: a broken device may come back after <see cref="TrustSettings.Ban"/>, a liar after one that grows each time.</summary>
    /// <param name="standing">The standing, which is excluded.</param>
    /// <param name="now">When the deciding failure was counted.</param>
    /// <param name="settings">The settings.</param>
    public static RoleStanding Exclude(RoleStanding standing, DateTimeOffset now, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(standing);
        ArgumentNullException.ThrowIfNull(settings);
        var isFaulty = IsFaulty(standing, 0, settings);
        var ticks = Math.Min(Ban(isFaulty ? 0 : standing.Bans, settings).Ticks, DateTimeOffset.MaxValue.Ticks - now.UtcTicks);
        return standing with
        {
            Exclusion = new Exclusion(isFaulty, new DateTimeOffset(now.UtcTicks + ticks, TimeSpan.Zero), ScoreOnReturn(settings), settings.JuniorTokens),
            Bans = standing.Bans + (isFaulty ? 0 : 1),
        };
    }

    /// <summary>Whether an excluded device may come back.</summary>
    /// <param name="standing">Its standing.</param>
    /// <param name="now">The time.</param>
    public static bool MayReturn(RoleStanding standing, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(standing);
        return standing is { ExcludedAt: not null, Exclusion: { } exclusion } && exclusion.Until <= now;
    }

    /// <summary>The standing of a device that is back: everything is checked of it until what it starts with is gone, and it earns nothing until enough has passed. One that is not due stays as it is.</summary>
    /// <param name="standing">Its standing.</param>
    /// <param name="now">The time.</param>
    public static RoleStanding Return(RoleStanding standing, DateTimeOffset now)
        => MayReturn(standing, now)
            ? standing with
            {
                Score = standing.Exclusion!.ReturnScore,
                HardTimes = [],
                HardPassed = [],
                ExcludedAt = null,
                Exclusion = null,
                UnpaidTokens = standing.Exclusion.UnpaidTokens,
            }
            : standing;
}
