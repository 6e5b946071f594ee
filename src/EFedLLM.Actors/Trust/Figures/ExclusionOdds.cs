namespace EFedLLM.Actors.Trust.Figures;

/// <summary>How likely honest devices are excluded.</summary>
public static class ExclusionOdds
{
    /// <summary>Most checks that are looked at.</summary>
    public const int MostAudits = 100_000_000;

    /// <summary>How likely a device that fails checks by chance is excluded, which begins with nothing against it.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="fault">What its faults look like.</param>
    /// <param name="faultRate">The probability of a fault in one check, 0 to 1.</param>
    /// <param name="audits">Number of checks, at most <see cref="MostAudits"/>.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such device.</exception>
    public static FalseExclusion Of(TrustSettings settings, CheckOutcome fault, double faultRate, int audits, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfNegative(audits);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(audits, MostAudits);
        if (fault is not (CheckOutcome.Soft or CheckOutcome.Hard))
        {
            throw new ArgumentOutOfRangeException(nameof(fault), fault, "It is no fault.");
        }

        if (faultRate is not (>= 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(faultRate), faultRate, "It is no probability.");
        }

        return new FalseExclusion(
            fault,
            faultRate,
            audits,
            new StandingChain(settings, fault).Excluded(faultRate, audits, cancellation),
            fault == CheckOutcome.Hard ? AtLeast(settings.MostHardFailures, audits, faultRate) : 0);
    }

    /// <summary>The probability of at least so many successes in independent trials: the sum of the binomial distribution from there on.</summary>
    private static double AtLeast(int successes, int trials, double rate)
    {
        if (rate is 0 or 1 || successes > trials)
        {
            return rate == 1 && successes <= trials ? 1 : 0;
        }

        // ln(1 - rate), which keeps its digits where 1 - rate has none left.
        var logMiss = rate < 1e-4 ? -rate - (rate * rate / 2) - (rate * rate * rate / 3) : Math.Log(1 - rate);
        var log = trials * logMiss;
        for (var i = 0; i < successes; i++)
        {
            log += Math.Log((trials - i) / (i + 1.0)) + Math.Log(rate) - logMiss;
        }

        var sum = 0.0;
        for (var i = successes; i <= trials; i++)
        {
            var term = Math.Exp(log);
            sum += term;
            if (i > trials * rate && term <= sum * 1e-17)
            {
                break;
            }

            log += Math.Log((trials - i) / (i + 1.0)) + Math.Log(rate) - logMiss;
        }

        return Math.Min(1, sum);
    }
}
