using System.Collections.Immutable;

namespace EFedLLM.Actors.Trust;

/// <summary>
/// How rewards become credit. They fill the escrow first; what comes then can be lost until it is <see cref="TrustSettings.Vesting"/> old and
/// nothing speaks against the device. Time is an argument, and the same calls give the same account.
/// </summary>
public static class AccountRules
{
    /// <summary>Most entries of <see cref="Account.Unvested"/>, however often something is earned.</summary>
    public const int MostEarnings = SpansPerVesting + 2;

    private const int SpansPerVesting = 24;

    /// <summary>The account after something was earned.</summary>
    /// <param name="account">The account before.</param>
    /// <param name="reward">What was earned, not below 0.</param>
    /// <param name="tokenReward">The reward of one position of that work at every factor 1: the escrow is so many of these.</param>
    /// <param name="at">When it was counted, not when it was done: what nobody could dispute yet must not be old already.</param>
    /// <param name="settings">The settings.</param>
    public static Account Earn(Account account, double reward, double tokenReward, DateTimeOffset at, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        CheckAmount(reward);
        return Earn(account, new Earning(EndOfSpan(at, settings.Vesting), reward), tokenReward, settings);
    }

    /// <summary>The same of what was earned in a span of time.</summary>
    /// <param name="account">The account before.</param>
    /// <param name="earning">What was earned, and the end of the span as <see cref="EndOfSpan"/> gives it.</param>
    /// <param name="tokenReward">The reward of one position of that work at every factor 1.</param>
    /// <param name="settings">The settings.</param>
    public static Account Earn(Account account, Earning earning, double tokenReward, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(account);
        ArgumentNullException.ThrowIfNull(settings);
        CheckAmount(earning.Amount);
        CheckAmount(tokenReward);
        var held = Math.Min(earning.Amount, Math.Max(0, (settings.EscrowTokens * tokenReward) - account.Escrow));
        return earning.Amount == 0 ? account : account with
        {
            Escrow = account.Escrow + held,
            Unvested = earning.Amount > held ? With(account.Unvested, earning with { Amount = earning.Amount - held }, settings) : account.Unvested,
        };
    }

    /// <summary>The end of the span of time whose earnings vest together.</summary>
    /// <param name="at">When something was earned.</param>
    /// <param name="vesting">How long it can be lost.</param>
    public static DateTimeOffset EndOfSpan(DateTimeOffset at, TimeSpan vesting)
    {
        var span = Math.Max(1, vesting.Ticks / SpansPerVesting);
        return new DateTimeOffset(Math.Min(((at.UtcTicks / span) + 1) * span, DateTimeOffset.MaxValue.UtcTicks), TimeSpan.Zero);
    }

    /// <summary>The account at a time: what is old enough has become credit, unless something speaks against the device.</summary>
    /// <param name="account">The account before.</param>
    /// <param name="now">The time.</param>
    /// <param name="score">The statistic of the device: the larger one of its roles.</param>
    /// <param name="isDisputed">Whether a verdict about it is disputed.</param>
    /// <param name="settings">The settings.</param>
    public static Account Vest(Account account, DateTimeOffset now, double score, bool isDisputed, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(account);
        ArgumentNullException.ThrowIfNull(settings);
        if (score > 0 || isDisputed)
        {
            return account;
        }

        var ripe = 0;
        var credit = account.Credit;
        while (ripe < account.Unvested.Length && account.Unvested[ripe].Until.UtcTicks <= now.UtcTicks - settings.Vesting.Ticks)
        {
            credit += account.Unvested[ripe].Amount;
            ripe++;
        }

        return ripe == 0 ? account : account with { Credit = credit, Unvested = account.Unvested.RemoveRange(0, ripe) };
    }

    /// <summary>
    /// What a hard failure takes: a fixed part for the first and the second, and for each from the third on everything that is not credit
    /// yet. The escrow goes first, then what vests next.
    /// </summary>
    /// <param name="account">The account before.</param>
    /// <param name="failure">Which hard failure it is, from 1.</param>
    /// <param name="tokenReward">The reward of one position of the work that was wrong, at every factor 1.</param>
    /// <param name="settings">The settings.</param>
    public static Slashing Slash(Account account, long failure, double tokenReward, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(account);
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfLessThan(failure, 1);
        CheckAmount(tokenReward);
        var due = failure switch { 1 => settings.FirstSlash * tokenReward, 2 => settings.SecondSlash * tokenReward, _ => double.PositiveInfinity };
        var fromEscrow = Math.Min(due, account.Escrow);
        var taken = fromEscrow;
        var left = ImmutableArray.CreateBuilder<Earning>(account.Unvested.Length);
        foreach (var earning in account.Unvested)
        {
            var part = Math.Min(due - taken, earning.Amount);
            taken += part;
            if (part < earning.Amount)
            {
                left.Add(earning with { Amount = earning.Amount - part });
            }
        }

        var after = account with { Escrow = account.Escrow - fromEscrow, Unvested = left.DrainToImmutable(), Slashed = account.Slashed + taken };
        return new Slashing(after, taken, taken * settings.FinderShare);
    }

    /// <summary>One more entry; those that are old enough to vest are one, so that a device that may not be paid for long does not fill the ledger.</summary>
    private static ImmutableArray<Earning> With(ImmutableArray<Earning> earnings, Earning more, TrustSettings settings)
    {
        var latest = earnings.IsEmpty || more.Until > earnings[^1].Until ? more.Until : earnings[^1].Until;
        var old = latest.UtcTicks - settings.Vesting.Ticks;
        var all = ImmutableArray.CreateBuilder<Earning>(MostEarnings);
        foreach (var earning in earnings.Add(more).OrderBy(earning => earning.Until))
        {
            if (all.Count > 0 && (all[^1].Until == earning.Until || earning.Until.UtcTicks <= old))
            {
                all[^1] = new Earning(earning.Until, all[^1].Amount + earning.Amount);
            }
            else
            {
                all.Add(earning);
            }
        }

        return all.DrainToImmutable();
    }

    private static void CheckAmount(double amount)
    {
        if (!(amount >= 0 && double.IsFinite(amount)))
        {
            throw new ArgumentOutOfRangeException(nameof(amount), amount, "It is no amount.");
        }
    }
}
