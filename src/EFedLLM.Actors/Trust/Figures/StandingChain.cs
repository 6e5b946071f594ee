namespace EFedLLM.Actors.Trust.Figures;

/// <summary>
/// The statistic of an honest device as a Markov chain. Every step of it is a whole number of 1/<see cref="TrustSettings.StepsPerOne"/>
/// (the settings allow nothing else), so from 0 it can only reach whole numbers of that: with the defaults 9,210 values below the bound, every second thousandth.
/// The moves between them are those of <see cref="StandingRules"/> itself, asked for each value, and nothing is approximated but a double's
/// last digits. The number of hard failures is left out: see <see cref="FalseExclusion.ByCount"/>.
/// </summary>
internal sealed class StandingChain
{
    private const int Out = -1;

    // How often is looked whether the share that leaves has settled, and what counts as settled.
    private const int Span = 2048;
    private const double Settled = 1e-12;

    private readonly int[] _afterPass;
    private readonly int[] _afterFault;

    /// <summary>The chain of devices whose faults are all of one kind.</summary>
    public StandingChain(TrustSettings settings, CheckOutcome fault)
    {
        var places = new Dictionary<long, int> { [0] = 0 };
        var values = new List<long> { 0 };
        var (passes, faults) = (new List<int>(), new List<int>());
        for (var i = 0; i < values.Count; i++)
        {
            passes.Add(Move(values[i], CheckOutcome.Passed));
            faults.Add(Move(values[i], fault));
        }

        (_afterPass, _afterFault) = ([.. passes], [.. faults]);

        int Move(long value, CheckOutcome outcome)
        {
            var after = StandingRules.After(RoleStanding.New with { Score = value / (double)TrustSettings.StepsPerOne }, outcome, 0, DateTimeOffset.UnixEpoch, settings);
            if (after.ExcludedAt is not null)
            {
                return Out;
            }

            var reached = (long)Math.Round(after.Score * TrustSettings.StepsPerOne);
            if (!places.TryGetValue(reached, out var place))
            {
                place = values.Count;
                places.Add(reached, place);
                values.Add(reached);
            }

            return place;
        }
    }

    /// <summary>Values that the statistic can have.</summary>
    public int States => _afterPass.Length;

    /// <summary>The probability that a device at 0 is excluded within a number of checks.</summary>
    /// <param name="faultRate">The probability of a fault in one check, 0 to 1.</param>
    /// <param name="audits">Number of checks.</param>
    /// <param name="cancellation">Ends it.</param>
    public double Excluded(double faultRate, int audits, CancellationToken cancellation)
    {
        var (now, next) = (new double[States], new double[States]);
        now[0] = 1;
        var excluded = 0.0;
        var before = double.NaN;
        for (var done = 1; done <= audits; done++)
        {
            var left = Step(now, next, faultRate);
            (now, next) = (next, now);
            var share = left / (1 - excluded);
            excluded += left;
            if (excluded >= 1)
            {
                return 1;
            }

            if (done % Span == 0)
            {
                cancellation.ThrowIfCancellationRequested();

                // Once the share that leaves at each check does not change any more, it never will: the rest is its powers.
                if (share > 0 && Math.Abs(share - before) <= Settled * share)
                {
                    return Either(excluded, Within(share, audits - done));
                }

                before = share;
            }
        }

        return excluded;
    }

    /// <summary>One check: where the probability goes, and how much of it leaves.</summary>
    private double Step(double[] now, double[] next, double faultRate)
    {
        Array.Clear(next);
        var left = 0.0;
        for (var i = 0; i < now.Length; i++)
        {
            var here = now[i];
            if (here > 0)
            {
                left += Send(next, _afterPass[i], here * (1 - faultRate)) + Send(next, _afterFault[i], here * faultRate);
            }
        }

        return left;
    }

    private static double Send(double[] next, int place, double part)
    {
        if (place == Out)
        {
            return part;
        }

        next[place] += part;
        return 0;
    }

    /// <summary>The probability that something with probability <paramref name="share"/> happens in one of several trials, by doubling: 1 - (1 - share)^n would lose all digits of a small share.</summary>
    private static double Within(double share, int trials)
    {
        var all = 0.0;
        for (var power = share; trials > 0; trials >>= 1)
        {
            all = (trials & 1) == 1 ? Either(all, power) : all;
            power = Either(power, power);
        }

        return all;
    }

    private static double Either(double one, double other) => one + other - (one * other);
}
