using System.Collections.Immutable;

namespace EFedLLM.Actors.Trust;

/// <summary>What a device has earned. Immutable; <see cref="AccountRules"/> folds it.</summary>
public sealed record Account
{
    /// <summary>Nothing earned yet.</summary>
    public static Account Empty { get; } = new();

    /// <summary>What is held back: hard failures take from it first.</summary>
    public double Escrow { get; init; }

    /// <summary>What is earned and can still be lost, oldest first; at most <see cref="AccountRules.MostEarnings"/>.</summary>
    public ImmutableArray<Earning> Unvested { get; init; } = [];

    /// <summary>What is the device's own.</summary>
    public double Credit { get; init; }

    /// <summary>What was taken from it.</summary>
    public double Slashed { get; init; }

    /// <inheritdoc/>
    public bool Equals(Account? other) => other is not null && Escrow.Equals(other.Escrow) && Credit.Equals(other.Credit) && Slashed.Equals(other.Slashed)
        && Unvested.AsSpan().SequenceEqual(other.Unvested.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Escrow, Credit, Slashed, Unvested.Length);
}
