namespace EFedLLM.Actors.Trust;

/// <summary>
/// What work earns, and when lying does not. A reward is a number: 1 is <see cref="TrustSettings.ReferenceFlop"/> operations at every factor
/// 1. Where something is said in positions (an escrow of 3,072, a slash of 512), it is the reward of that many positions of the work it is
/// about: the same range of the same model, factors 1. So a device that carries more has more to lose.
/// </summary>
public static class Incentive
{
    /// <summary>What a device earns by its standing, as a part of the full reward: nothing in probation and while something speaks against it.</summary>
    /// <param name="tier">How far it is trusted.</param>
    /// <param name="settings">The settings.</param>
    public static double TierFactor(TrustTier tier, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return tier switch { TrustTier.Full => 1, TrustTier.Junior => settings.JuniorShare, _ => 0 };
    }

    /// <summary>What a device earns by its speed: the expected time over the time it took, within <see cref="TrustSettings.SlowestFactor"/> and <see cref="TrustSettings.FastestFactor"/>.</summary>
    /// <param name="expected">How long the work takes usually, as measured by whoever pays; where that is unknown (not above zero), speed changes nothing.</param>
    /// <param name="taken">How long it took, as measured by whoever pays.</param>
    /// <param name="settings">The settings.</param>
    public static double LatencyFactor(TimeSpan expected, TimeSpan taken, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return expected <= TimeSpan.Zero ? 1
            : taken <= TimeSpan.Zero ? settings.FastestFactor
            : Math.Clamp((double)expected.Ticks / taken.Ticks, settings.SlowestFactor, settings.FastestFactor);
    }

    /// <summary>What computing earns.</summary>
    /// <param name="flop">The work, as <see cref="UnitWork"/> counts it.</param>
    /// <param name="tier">How far the device is trusted as a server.</param>
    /// <param name="latencyFactor">As <see cref="LatencyFactor"/> gives it.</param>
    /// <param name="settings">The settings.</param>
    public static double Reward(double flop, TrustTier tier, double latencyFactor, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return flop / settings.ReferenceFlop * TierFactor(tier, settings) * latencyFactor;
    }

    /// <summary>What checking earns: a part of what computing the unit is worth, by the standing of the one who checks, not of the one who is checked.</summary>
    /// <param name="flop">The work of the unit that was checked.</param>
    /// <param name="tier">How far the verifier is trusted as one.</param>
    /// <param name="settings">The settings.</param>
    public static double VerifierReward(double flop, TrustTier tier, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return Reward(flop, tier, 1, settings) * settings.VerifierShare;
    }

    /// <summary>Whether serving somebody earns anything: whoever serves himself earns nothing.</summary>
    /// <param name="requester">Whose session it is, or null where nobody says.</param>
    /// <param name="server">Whose device computes, or null where nobody says.</param>
    public static bool Earns(string? requester, string? server) => !DrawRules.AreOfOneOwner(requester, server);

    /// <summary>
    /// Whether honesty is the best reply: whether a unit that is not computed saves no more than what it costs on average,
    /// rate · detection · (1 − lying) · loss ≥ saving.
    /// </summary>
    /// <param name="rate">The share of units that is checked.</param>
    /// <param name="detection">The share of bad units that a check finds: 1 where bits are compared.</param>
    /// <param name="lying">The share of verifiers that would let it pass.</param>
    /// <param name="loss">What being found out costs: what is taken and what is not earned any more.</param>
    /// <param name="saving">What not computing a unit saves; in the worst case its whole reward. In the unit of <paramref name="loss"/>.</param>
    public static bool HonestIsBest(double rate, double detection, double lying, double loss, double saving)
        => rate * detection * (1 - lying) * loss >= saving;

    /// <summary>What an identity is worth to a liar with a full standing, in positions: its escrow, and the probation that a new identity serves unpaid.</summary>
    /// <param name="settings">The settings.</param>
    public static int IdentityTokens(TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings.EscrowTokens + settings.ProbationTokens;
    }
}
