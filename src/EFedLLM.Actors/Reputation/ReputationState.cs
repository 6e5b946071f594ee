using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// What the ledger knows of one device: a fold of its entries, in order. Immutable; the same entries give the same state, whether read one
/// by one or from a snapshot on.
/// </summary>
internal sealed record ReputationState : ILedgerStored
{
    /// <summary>
    /// Most reporters remembered. The one whose last entry is the longest ago is forgotten first; a report of his that was counted, and is
    /// still being repeated at that moment because its answer was lost, would count a second time. Every start of a gateway is a new
    /// reporter, so that takes entries of 1,024 other starts between the two.
    /// </summary>
    public const int MostReporters = 1024;

    /// <summary>The device.</summary>
    public required DeviceId Device { get; init; }

    /// <summary>Number of entries.</summary>
    public long Entries { get; init; }

    /// <summary>The earliest time of an entry.</summary>
    public DateTimeOffset? FirstSeen { get; init; }

    /// <summary>The latest time of an entry.</summary>
    public DateTimeOffset? LastSeen { get; init; }

    /// <summary>Sessions served to their end.</summary>
    public long Sessions { get; init; }

    /// <summary>Positions computed in them.</summary>
    public long Tokens { get; init; }

    /// <summary>Positions times units.</summary>
    public long LayerTokens { get; init; }

    /// <summary>Sessions lost by silence.</summary>
    public long TimeOuts { get; init; }

    /// <summary>Sessions lost by failing, and files given that were others.</summary>
    public long Failures { get; init; }

    /// <summary>Credit earned.</summary>
    public double Reward { get; init; }

    /// <summary>Credit lost.</summary>
    public double Penalty { get; init; }

    /// <summary>The latest entries, newest first: of a kind with many the older make room, so that a thousand checks that passed hide no failure and no work.</summary>
    public ImmutableArray<LedgerEntry> Recent { get; init; } = [];

    /// <summary>Which numbers of which reporter are counted.</summary>
    public ImmutableDictionary<Guid, ReporterWindow> Reporters { get; init; } = ImmutableDictionary<Guid, ReporterWindow>.Empty;

    /// <summary>What of <see cref="Reward"/> is the device's own, and what is at stake.</summary>
    public CreditVault Credit { get; init; } = CreditVault.Empty;

    /// <summary>What checks have shown of it as a server.</summary>
    public RoleStanding Server { get; init; } = RoleStanding.New;

    /// <summary>What checks have shown of it as a verifier.</summary>
    public RoleStanding Verifier { get; init; } = RoleStanding.New;

    /// <summary>Nothing known.</summary>
    public static ReputationState Empty(DeviceId device) => new() { Device = device };

    /// <summary>Whether a report is counted.</summary>
    public bool Knows(ReportId id) => Reporters.TryGetValue(id.Reporter, out var window) && window.Knows(id.Sequence);

    /// <summary>The state after an entry; the same state when its report is counted already.</summary>
    public ReputationState Apply(WorkCounted entry)
    {
        if (Knows(entry.Id))
        {
            return this;
        }

        var served = entry.Outcome == WorkOutcome.Served;
        var now = entry.CountedAt ?? entry.At;
        return this with
        {
            Entries = Entries + 1,
            FirstSeen = FirstSeen is { } first && first <= entry.At ? first : entry.At,
            LastSeen = LastSeen is { } last && last >= entry.At ? last : entry.At,
            Credit = Credit.At(now, IsTrusted).With(entry.Reward, now),
            Sessions = Sessions + (served ? 1 : 0),
            Tokens = Tokens + (served ? entry.Tokens : 0),
            LayerTokens = LayerTokens + (served ? WorkRules.LayerTokens(entry.Range, entry.Tokens) : 0),
            TimeOuts = TimeOuts + (entry.Outcome == WorkOutcome.TimedOut ? 1 : 0),
            Failures = Failures + (entry.Outcome is WorkOutcome.Failed or WorkOutcome.Corrupt ? 1 : 0),
            Reward = Reward + entry.Reward,
            Penalty = Penalty + entry.Penalty,
            Recent = Newest(new LedgerEntry(entry.Session, entry.Outcome, entry.Tokens, entry.Range, entry.At, entry.Check), Recent),
            Reporters = Remember(entry.Id),
            Server = After(Server, entry, TrustRole.Server),
            Verifier = After(Verifier, entry, TrustRole.Verifier),
        };
    }

    /// <summary>The state as others see it.</summary>
    /// <param name="trust">By what a standing is named.</param>
    /// <param name="now">The time: credit that is due becomes the device's own without an entry.</param>
    public DeviceRecord ToRecord(TrustSettings trust, DateTimeOffset now) => new(Device, FirstSeen, LastSeen, Sessions, Tokens, LayerTokens, TimeOuts, Failures, Reward, Penalty, Recent)
    {
        Server = Server,
        ServerTier = StandingRules.Tier(Server, trust),
        Verifier = Verifier,
        VerifierTier = StandingRules.Tier(Verifier, trust),
        Vested = Credit.At(now, IsTrusted).Vested,
    };

    /// <summary>What every node is to know of the device.</summary>
    /// <param name="trust">By what a standing is named.</param>
    /// <param name="ledger">The node that says so.</param>
    /// <returns>Null of a device that was never checked: it is new to everybody anyway.</returns>
    public DeviceStanding? ToStanding(TrustSettings trust, Address ledger) => Server.Equals(RoleStanding.New) && Verifier.Equals(RoleStanding.New)
        ? null
        : new DeviceStanding(Device, StandingRules.Tier(Server, trust), StandingRules.Tier(Verifier, trust), Server.Score, Entries, ledger);

    private static ImmutableArray<LedgerEntry> Newest(LedgerEntry entry, ImmutableArray<LedgerEntry> recent)
    {
        var entries = recent.Insert(0, entry);
        if (entries.Length <= LedgerCodecs.RecentEntries)
        {
            return entries;
        }

        var crowded = entries.CountBy(Kind).MaxBy(kind => (kind.Value, kind.Key)).Key;
        return entries.RemoveAt(Enumerable.Range(0, entries.Length).Last(index => Kind(entries[index]) == crowded));

        // Of equally many the greater makes room.
        static int Kind(LedgerEntry entry) => entry.Check switch { null => 1, { Outcome: CheckOutcome.Passed } => 2, _ => 0 };
    }

    /// <summary>Whether nothing speaks against it.</summary>
    private bool IsTrusted => Server is { Score: 0, ExcludedAt: null } && Verifier is { Score: 0, ExcludedAt: null };

    private static RoleStanding After(RoleStanding standing, WorkCounted entry, TrustRole role)
        => entry is { Check: { } check, Terms: { } terms } && check.Role == role
            ? StandingRules.After(standing, check.Outcome, entry.Tokens, entry.At, terms.ToSettings())
            : standing;

    private ImmutableDictionary<Guid, ReporterWindow> Remember(ReportId id)
    {
        var entry = Entries + 1;
        if (Reporters.TryGetValue(id.Reporter, out var window))
        {
            return Reporters.SetItem(id.Reporter, window.With(id.Sequence, entry));
        }

        var known = Reporters.Count < MostReporters ? Reporters : Reporters.Remove(Reporters.MinBy(reporter => reporter.Value.LastEntry).Key);
        return known.Add(id.Reporter, new ReporterWindow(id.Sequence, 1, entry));
    }
}
