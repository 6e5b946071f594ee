using System.Collections.Immutable;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// Credit that a device has earned: its own once it has lain for <see cref="Delay"/> and nothing speaks against the device at that moment; until
/// then it is at stake. Time is when an entry was counted, not when the work was done: what nobody could dispute yet must not be old already.
/// Immutable; it is kept by the hour.
/// </summary>
internal sealed record CreditVault
{
    /// <summary>How long credit lies before it is the device's own.</summary>
    public static readonly TimeSpan Delay = TimeSpan.FromHours(24);

    /// <summary>Most hours whose credit is kept apart: all before them are due already, and wait for a device against which nothing speaks.</summary>
    public const int MostHours = 48;

    /// <summary>Nothing earned.</summary>
    public static CreditVault Empty { get; } = new();

    /// <summary>What is the device's own.</summary>
    public double Vested { get; init; }

    /// <summary>What was earned and lies still, the oldest first: the end of the hour, and how much.</summary>
    public ImmutableArray<(DateTimeOffset Until, double Amount)> Lying { get; init; } = [];

    /// <summary>The vault at a time: what is due becomes the device's own, where nothing speaks against it.</summary>
    /// <param name="now">The time; one that lies before that of an earlier call changes nothing.</param>
    /// <param name="isTrusted">Whether nothing speaks against the device.</param>
    public CreditVault At(DateTimeOffset now, bool isTrusted)
    {
        var due = isTrusted ? Lying.TakeWhile(hour => now.UtcTicks - hour.Until.UtcTicks >= Delay.Ticks).Count() : 0;
        return due == 0 ? this : new CreditVault { Vested = Vested + Lying[..due].Sum(hour => hour.Amount), Lying = Lying[due..] };
    }

    /// <summary>The vault with more.</summary>
    /// <param name="amount">What was earned, not negative.</param>
    /// <param name="now">When it was counted; where that lies before what was counted last, it lies as long as that.</param>
    public CreditVault With(double amount, DateTimeOffset now)
    {
        if (amount == 0)
        {
            return this;
        }

        var hours = now.UtcTicks / TimeSpan.TicksPerHour;
        var until = new DateTimeOffset(Math.Min((hours + 1) * TimeSpan.TicksPerHour, DateTimeOffset.MaxValue.UtcTicks), TimeSpan.Zero);
        if (Lying is [.., var last] && last.Until >= until)
        {
            return this with { Lying = Lying.SetItem(Lying.Length - 1, (last.Until, last.Amount + amount)) };
        }

        var lying = Lying.Add((until, amount));
        return this with { Lying = lying.Length <= MostHours ? lying : [(lying[1].Until, lying[0].Amount + lying[1].Amount), .. lying[2..]] };
    }

    /// <inheritdoc/>
    public bool Equals(CreditVault? other) => other is not null && Vested.Equals(other.Vested) && Lying.AsSpan().SequenceEqual(other.Lying.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Vested, Lying.Length);
}
