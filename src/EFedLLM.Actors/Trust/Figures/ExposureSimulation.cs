namespace EFedLLM.Actors.Trust.Figures;

/// <summary>
/// How much a device that cheats delivers until it is excluded: many of them, each unit delivered, drawn or not, and judged by
/// <see cref="StandingRules"/>. Each position is wrong with the same probability, and a unit is bad when one of its positions is. A check
/// finds every bad unit.
/// </summary>
public static class ExposureSimulation
{
    /// <summary>Positions after which a device that is not excluded is left alone.</summary>
    public const int MostTokens = 2_000_000;

    /// <summary>Most devices of one simulation.</summary>
    public const int MostRuns = 1_000_000;

    // The pace decides nothing but how many hard failures fall within their window: a slow device of 16 tokens a second.
    private static readonly TimeSpan UnitTime = TimeSpan.FromSeconds(1);

    /// <summary>Simulates devices.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="tier">The standing with which they begin to cheat: probation, junior or full.</param>
    /// <param name="cheatRate">The probability that a position is wrong, more than 0 and at most 1.</param>
    /// <param name="runs">Number of devices, at most <see cref="MostRuns"/>.</param>
    /// <param name="seed">Of everything random: the same seed gives the same result.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are no such devices.</exception>
    public static Exposure Run(TrustSettings settings, TrustTier tier, double cheatRate, int runs, int seed, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfLessThan(runs, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(runs, MostRuns);
        if (cheatRate is not (> 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(cheatRate), cheatRate, "It is no rate at which a device cheats.");
        }

        var start = RoleStanding.New with
        {
            PassedTokens = tier switch
            {
                TrustTier.Probation => 0,
                TrustTier.Junior => settings.ProbationTokens,
                TrustTier.Full => settings.JuniorTokens,
                _ => throw new ArgumentOutOfRangeException(nameof(tier), tier, "Nobody begins with this standing."),
            },
        };
        var random = new Random(seed);
        var badRate = 1 - Math.Pow(1 - cheatRate, UnitCut.Rows);
        var tokens = new int[runs];
        var excluded = 0;
        for (var i = 0; i < runs; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            (tokens[i], var isOut) = Device(settings, start, badRate, random);
            excluded += isOut ? 1 : 0;
        }

        Array.Sort(tokens);
        return new Exposure(
            tier,
            StandingRules.Rate(StandingRules.Tier(start, settings), settings),
            cheatRate,
            runs,
            tokens.Average(),
            Quantile(tokens, 0.5),
            Quantile(tokens, 0.95),
            (double)excluded / runs);
    }

    private static (int Tokens, bool IsExcluded) Device(TrustSettings settings, RoleStanding standing, double badRate, Random random)
    {
        var tokens = 0;
        var at = DateTimeOffset.UnixEpoch;
        while (standing.ExcludedAt is null && tokens < MostTokens)
        {
            tokens += UnitCut.Rows;
            at += UnitTime;
            var isBad = random.NextDouble() < badRate;
            if (random.NextDouble() < StandingRules.Rate(StandingRules.Tier(standing, settings), settings))
            {
                standing = StandingRules.After(standing, isBad ? CheckOutcome.Hard : CheckOutcome.Passed, UnitCut.Rows, at, settings);
            }
        }

        return (tokens, standing.ExcludedAt is not null);
    }

    /// <summary>The least of the sorted values that a share of them does not exceed.</summary>
    private static double Quantile(int[] sorted, double share) => sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
}
