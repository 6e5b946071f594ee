using System.Collections.Immutable;

namespace EFedLLM.Actors.Trust;

/// <summary>What checks have shown of a device in one role. Immutable; <see cref="StandingRules"/> and <see cref="ExclusionRules"/> fold it.</summary>
public sealed record RoleStanding
{
    /// <summary>Nothing checked yet.</summary>
    public static RoleStanding New { get; } = new();

    /// <summary>The statistic S: 0 when nothing speaks against the device.</summary>
    public double Score { get; init; }

    /// <summary>Positions in checks that passed.</summary>
    public long PassedTokens { get; init; }

    /// <summary>Checks that passed.</summary>
    public long Passed { get; init; }

    /// <summary>Soft failures.</summary>
    public long Soft { get; init; }

    /// <summary>Hard failures.</summary>
    public long Hard { get; init; }

    /// <summary>When the latest hard failures were, oldest first: as many as can exclude.</summary>
    public ImmutableArray<DateTimeOffset> HardTimes { get; init; } = [];

    /// <summary>How many checks had passed at each of the latest hard failures; fewer than those where they were counted before this was kept.</summary>
    public ImmutableArray<long> HardPassed { get; init; } = [];

    /// <summary>When it was excluded, or null.</summary>
    public DateTimeOffset? ExcludedAt { get; init; }

    /// <summary>What the exclusion means; null where there is none, and where it was for good by the terms of its day.</summary>
    public Exclusion? Exclusion { get; init; }

    /// <summary>How often it was banned as a liar.</summary>
    public int Bans { get; init; }

    /// <summary>Positions in checks that have still to pass before it earns again: of one that came back.</summary>
    public long UnpaidTokens { get; init; }

    /// <inheritdoc/>
    public bool Equals(RoleStanding? other) => other is not null && Score.Equals(other.Score) && PassedTokens == other.PassedTokens && Passed == other.Passed
        && Soft == other.Soft && Hard == other.Hard && HardTimes.AsSpan().SequenceEqual(other.HardTimes.AsSpan())
        && HardPassed.AsSpan().SequenceEqual(other.HardPassed.AsSpan()) && ExcludedAt == other.ExcludedAt
        && Exclusion == other.Exclusion && Bans == other.Bans && UnpaidTokens == other.UnpaidTokens;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Score, PassedTokens, Passed, Soft, Hard, ExcludedAt, Bans);
}
