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

    /// <summary>Most verdicts taken back that are remembered.</summary>
    public const int MostStruck = 64;

    /// <summary>Most finders who wait for what they earn; with more, the latest gets nothing.</summary>
    public const int MostOwed = 64;

    private const int PreferenceSteps = 16;

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

    /// <summary>What standing and account are folded from.</summary>
    public History History { get; init; } = History.Empty;

    /// <summary>The verdicts that were taken back last, oldest first.</summary>
    public ImmutableArray<VerdictId> Struck { get; init; } = [];

    /// <summary>How often somebody earned something by finding the device out.</summary>
    public long FinderRewards { get; init; }

    /// <summary>What of that the finders' entities may not have yet, oldest first.</summary>
    public ImmutableArray<FinderReward> Owed { get; init; } = [];

    /// <summary>How gladly routes use it.</summary>
    public RoutingPreference Preference { get; init; } = RoutingPreference.New;

    /// <summary>What checks have shown of it as a server.</summary>
    public RoleStanding Server => History.Now.Server;

    /// <summary>What checks have shown of it as a verifier.</summary>
    public RoleStanding Verifier => History.Now.Verifier;

    /// <summary>Nothing known.</summary>
    public static ReputationState Empty(DeviceId device) => new() { Device = device };

    /// <summary>Whether a report is counted.</summary>
    public bool Knows(ReportId id) => Reporters.TryGetValue(id.Reporter, out var window) && window.Knows(id.Sequence);

    /// <summary>The state after any entry of the journal.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public ReputationState Apply(ILedgerStored entry) => entry switch
    {
        WorkCounted counted => Apply(counted),
        DeviceReturned back => Apply(back),
        VerdictStruck struck => Apply(struck),
        FinderPaid paid => Apply(paid),
        _ => throw new ArgumentException($"{entry?.GetType().Name} is no entry of the journal.", nameof(entry)),
    };

    /// <summary>The state after an entry; the same state when its report is counted already.</summary>
    public ReputationState Apply(WorkCounted entry)
    {
        if (Knows(entry.Id))
        {
            return this;
        }

        var served = entry.Outcome == WorkOutcome.Served;
        var verdict = entry.Check is { Outcome: not CheckOutcome.Passed } ? VerdictId.Of(entry.Id) : (VerdictId?)null;
        var (history, toFinder) = After(entry, verdict);
        var isOwed = toFinder > 0 && entry.Check is { } check && check.Verifier != default && check.Verifier != Device && Owed.Length < MostOwed;
        return this with
        {
            Entries = Entries + 1,
            FirstSeen = FirstSeen is { } first && first <= entry.At ? first : entry.At,
            LastSeen = LastSeen is { } last && last >= entry.At ? last : entry.At,
            History = history,
            Sessions = Sessions + (served ? 1 : 0),
            Tokens = Tokens + (served ? entry.Tokens : 0),
            LayerTokens = LayerTokens + (served ? WorkRules.LayerTokens(entry.Range, entry.Tokens) : 0),
            TimeOuts = TimeOuts + (entry.Outcome == WorkOutcome.TimedOut ? 1 : 0),
            Failures = Failures + (entry.Outcome is WorkOutcome.Failed or WorkOutcome.Corrupt ? 1 : 0),
            Reward = Reward + entry.Reward,
            Penalty = Penalty + entry.Penalty,
            Recent = Newest(new LedgerEntry(entry.Session, entry.Outcome, entry.Tokens, entry.Range, entry.At, entry.Check) { Verdict = verdict, Reporter = entry.Reporter }, Recent),
            Reporters = Remember(entry.Id),
            Preference = entry is { Check: { Role: TrustRole.Server } shown, Terms: { HalfLife.Ticks: > 0 } terms }
                ? Preference.After(shown.Outcome, entry.CountedAt ?? entry.At, terms.ToSettings())
                : Preference,
            FinderRewards = FinderRewards + (isOwed ? 1 : 0),
            Owed = isOwed ? Owed.Add(new FinderReward(FinderRewards + 1, entry.Check!.Verifier, toFinder, entry.Session, entry.Model, entry.Range)) : Owed,
        };
    }

    /// <summary>The state after the time of an exclusion was over.</summary>
    public ReputationState Apply(DeviceReturned back) => this with { Entries = Entries + 1, History = History.Return(back) };

    /// <summary>
    /// The state after a verdict was taken back; the same state when that is done already, or cannot be. What finders earned by it stays theirs:
    /// they have it, and may have spent it.
    /// </summary>
    public ReputationState Apply(VerdictStruck struck) => Find(struck.Verdict) != StrikeResult.Struck || Struck.Contains(struck.Verdict) ? this : this with
    {
        Entries = Entries + 1,
        History = History.Without(struck.Verdict)!,
        Preference = History.Verdicts.First(failure => failure.Id == struck.Verdict) is { Role: TrustRole.Server, Terms: { HalfLife.Ticks: > 0 } terms } failure
            ? Preference.WithoutFailure(failure.CountedAt, terms.ToSettings())
            : Preference,
        Struck = [.. Struck.Add(struck.Verdict).TakeLast(MostStruck)],
        Recent = [.. Recent.Select(entry => entry.Verdict == struck.Verdict ? entry with { Struck = struck.Reason } : entry)],
    };

    /// <summary>The state after a finder has what he earned.</summary>
    public ReputationState Apply(FinderPaid paid) => this with { Owed = Owed.RemoveAll(owed => owed.Number == paid.Number) };

    /// <summary>What taking a verdict back would come to.</summary>
    public StrikeResult Find(VerdictId verdict) => Struck.Contains(verdict) ? StrikeResult.Struck : History.Verdicts.Count(failure => failure.Id == verdict) switch
    {
        0 => StrikeResult.Unknown,
        1 => StrikeResult.Struck,
        _ => StrikeResult.Ambiguous,
    };

    /// <summary>The role in which an exclusion is over by time alone, or null.</summary>
    public DeviceReturned? Due(DateTimeOffset now) => Due(now, isFaulty: false);

    /// <summary>The role in which an exclusion is over once the device has shown that it is sound, or null.</summary>
    public DeviceReturned? DueIfSound(DateTimeOffset now) => Due(now, isFaulty: true);

    /// <summary>When the time of the next exclusion is over, or null.</summary>
    public DateTimeOffset? NextReturn()
        => (Server.Exclusion?.Until, Verifier.Exclusion?.Until) is var (server, verifier) && server is not null && verifier is not null
            ? server < verifier ? server : verifier
            : server ?? verifier;

    /// <summary>The state as others see it.</summary>
    /// <param name="trust">By what a standing is named.</param>
    /// <param name="now">The time: credit that is due becomes the device's own without an entry.</param>
    public DeviceRecord ToRecord(TrustSettings trust, DateTimeOffset now)
    {
        var account = ConductRules.AccountAt(History.Now, now, trust.Vesting);
        return new(Device, FirstSeen, LastSeen, Sessions, Tokens, LayerTokens, TimeOuts, Failures, Reward, Penalty, Recent)
        {
            Server = Server,
            ServerTier = StandingRules.Tier(Server, trust),
            Verifier = Verifier,
            VerifierTier = StandingRules.Tier(Verifier, trust),
            Vested = account.Credit,
            Escrow = account.Escrow,
            Unvested = account.Unvested.Sum(earning => earning.Amount),
            Slashed = account.Slashed,
        };
    }

    /// <summary>What every node is to know of the device.</summary>
    /// <param name="trust">By what a standing is named.</param>
    /// <param name="ledger">The node that says so.</param>
    /// <returns>Null of a device that was never checked: it is new to everybody anyway.</returns>
    public DeviceStanding? ToStanding(TrustSettings trust, Address ledger) => Struck.IsEmpty && Server.Equals(RoleStanding.New) && Verifier.Equals(RoleStanding.New)
        ? null
        : new DeviceStanding(Device, StandingRules.Tier(Server, trust), StandingRules.Tier(Verifier, trust), Server.Score, Entries, ledger)
        {
            Exclusion = Server.Exclusion,
            NextReturn = NextReturn(),

            // In coarse steps, so that not each check is news to everybody.
            Preference = Math.Ceiling(Preference.Of(1, Preference.At, trust) * PreferenceSteps) / PreferenceSteps,
        };

    private DeviceReturned? Due(DateTimeOffset now, bool isFaulty)
    {
        return Is(Server) ? new DeviceReturned(TrustRole.Server, now.ToUniversalTime())
            : Is(Verifier) ? new DeviceReturned(TrustRole.Verifier, now.ToUniversalTime())
            : null;

        bool Is(RoleStanding standing) => ExclusionRules.MayReturn(standing, now) && standing.Exclusion!.IsFaulty == isFaulty;
    }

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

    private (History History, double ToFinder) After(WorkCounted entry, VerdictId? verdict)
    {
        var counted = entry.CountedAt ?? entry.At;
        return entry switch
        {
            { Check: { } check, Terms: { } terms } when verdict is { } id
                => History.Fail(new FailedCheck(id, check.Role, check.Outcome, entry.At, counted, terms, entry.Account)),
            { Check: { } check, Terms: { } terms } => (History.Pass(check.Role, terms.Step, entry.Tokens), 0),
            { Reward: > 0 } => (History.Earn(entry.Reward, counted, entry.Account ?? AccountTerms.Old), 0),
            _ => (History, 0),
        };
    }

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
