using Akka.Actor;
using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Protocol.Wire;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Reputation;

public sealed class ReputationStateTests(WireFixture fixture) : IClassFixture<WireFixture>
{
    private readonly LedgerSerializer _serializer = new((ExtendedActorSystem)fixture.System);

    [Fact]
    public void Any_prefix_stored_as_a_snapshot_and_the_rest_give_the_state_of_all()
        => Gen.Select(LedgerSamples.Histories, Gen.Double[0, 1]).Sample(
            (history, part) =>
            {
                var cut = (int)(history.Length * part);
                var snapshot = _serializer.ToBinary(LedgerSamples.Fold(history[..cut]));
                var state = history[cut..].Aggregate((ReputationState)_serializer.FromBinary(snapshot, "rs"), (state, entry) => state.Apply(entry));
                return Same(LedgerSamples.Fold(history), state);
            },
            iter: 300,
            threads: 1);

    [Fact]
    public void A_repeated_report_changes_nothing_whenever_it_comes_again()
        => Gen.Select(LedgerSamples.Histories, Gen.Int[0, 1000], Gen.Int[0, 1000]).Sample(
            (history, which, where) =>
            {
                if (history.Length > 0)
                {
                    var index = which % history.Length;
                    List<WorkCounted> twice = [.. history];
                    twice.Insert(index + 1 + (where % (history.Length - index)), history[index]);
                    Assert.True(Same(LedgerSamples.Fold(history), LedgerSamples.Fold(twice)));
                }
            },
            iter: 300,
            threads: 1);

    [Fact]
    public void Each_report_within_the_window_counts_once_in_any_order()
        => Gen.Shuffle(Enumerable.Range(1, ReporterWindow.Width).ToArray()).Sample(
            order =>
            {
                var state = LedgerSamples.Fold(order.Concat(order).Select(number => LedgerSamples.Count(LedgerSamples.Report(1, number), LedgerSamples.Now)));
                Assert.Equal((64, 64 * 100, 64 * 800), (state.Sessions, state.Tokens, state.LayerTokens));
            },
            iter: 100,
            threads: 1);

    [Fact]
    public void Sums_are_those_of_the_first_reports_of_each_number()
        => LedgerSamples.Histories.Sample(
            history =>
            {
                // By hand, with a set instead of a window; numbers up to 100 of which the window forgets what is 64 behind.
                var counted = new HashSet<ReportId>();
                var highest = new Dictionary<Guid, long>();
                var kept = new List<WorkCounted>();
                foreach (var entry in history)
                {
                    var most = highest.GetValueOrDefault(entry.Id.Reporter);
                    if (entry.Id.Sequence > most - 64 && counted.Add(entry.Id))
                    {
                        highest[entry.Id.Reporter] = Math.Max(most, entry.Id.Sequence);
                        kept.Add(entry);
                    }
                }

                var served = kept.Where(entry => entry.Outcome == WorkOutcome.Served).ToList();
                var record = LedgerSamples.Fold(history).ToRecord(LedgerSamples.Trust, LedgerSamples.Later);
                Assert.Equal(served.Count, record.Sessions);
                Assert.Equal(served.Sum(entry => (long)entry.Tokens), record.Tokens);
                Assert.Equal(served.Sum(entry => (long)entry.Tokens * entry.Range.Count), record.LayerTokens);
                var verified = kept.Where(entry => entry.Outcome == WorkOutcome.Verified).Sum(entry => (long)entry.Tokens * entry.Range.Count * 0.0012);
                var found = kept.Where(entry => entry.Outcome == WorkOutcome.Found).Sum(entry => entry.Reward);
                Assert.Equal((record.LayerTokens * 0.001) + verified + found, record.Reward, 6);
                Assert.Equal(record.Reward, record.Escrow + record.Unvested + record.Vested + record.Slashed, 6);
                Assert.True(record.Server.Score + record.Verifier.Score > 0 ? record.Vested == 0 : record.Unvested == 0);
                Assert.Equal(kept.Count(entry => entry.Outcome == WorkOutcome.TimedOut), record.TimeOuts);
                Assert.Equal(kept.Count(entry => entry.Outcome is WorkOutcome.Failed or WorkOutcome.Corrupt), record.Failures);
                Assert.Equal(record.TimeOuts + (4 * record.Failures), record.Penalty, 6);
                foreach (var (role, standing) in new[] { (TrustRole.Server, record.Server), (TrustRole.Verifier, record.Verifier) })
                {
                    var checks = kept.Where(entry => entry.Check?.Role == role).ToList();
                    Assert.Equal(checks.Aggregate(RoleStanding.New, (before, entry) => StandingRules.After(before, entry.Check!.Outcome, entry.Tokens, entry.At, LedgerSamples.Trust)), standing with { Exclusion = null, Bans = 0 });
                    Assert.Equal(standing.ExcludedAt is null, standing.Exclusion is null);
                    Assert.Equal(checks.Count, standing.Passed + standing.Soft + standing.Hard);
                }

                Assert.Equal(kept.Count == 0 ? null : kept.Min(entry => entry.At), record.FirstSeen);
                Assert.Equal(kept.Count == 0 ? null : kept.Max(entry => entry.At), record.LastSeen);
                var recent = new List<WorkCounted>();
                foreach (var entry in kept)
                {
                    recent.Add(entry);
                    if (recent.Count > 50)
                    {
                        recent.Remove(recent.GroupBy(Kind).OrderBy(kind => kind.Count()).ThenBy(kind => kind.Key == CheckOutcome.Passed).ThenBy(kind => kind.Key is null).Last().First());
                    }
                }

                Assert.Equal(recent.AsEnumerable().Reverse().Select(entry => entry.Session), record.Recent.Select(entry => entry.Session));

                static CheckOutcome? Kind(WorkCounted entry) => entry.Check?.Outcome is CheckOutcome.Soft ? CheckOutcome.Hard : entry.Check?.Outcome;
            },
            iter: 300,
            threads: 1);

    [Fact]
    public void The_reporter_whose_last_entry_is_the_oldest_is_forgotten_and_may_go_on_with_his_numbers()
    {
        var state = LedgerSamples.Fold(Enumerable.Range(1, ReputationState.MostReporters)
            .SelectMany(reporter => new[] { Entry(reporter, 1), Entry(reporter, 2) })
            .Append(Entry(1, 3))
            .Append(Entry(5000, 1)));
        Assert.Equal(ReputationState.MostReporters, state.Reporters.Count);
        Assert.True(state.Knows(new ReportId(LedgerSamples.Reporter(1), 3)));
        Assert.False(state.Knows(new ReportId(LedgerSamples.Reporter(2), 2)));
        Assert.True(state.Knows(new ReportId(LedgerSamples.Reporter(3), 2)));

        var later = state.Apply(Entry(2, 300));
        Assert.Equal(state.Sessions + 1, later.Sessions);
        Assert.True(later.Knows(new ReportId(LedgerSamples.Reporter(2), 300)));
    }

    [Fact]
    public void A_jump_of_numbers_leaves_those_far_behind_counted_and_those_near_open()
    {
        var state = LedgerSamples.Fold([Entry(1, 1), Entry(1, long.MaxValue)]);
        Assert.True(state.Knows(new ReportId(LedgerSamples.Reporter(1), 1)));
        Assert.True(state.Knows(new ReportId(LedgerSamples.Reporter(1), long.MaxValue - 64)));
        Assert.False(state.Knows(new ReportId(LedgerSamples.Reporter(1), long.MaxValue - 63)));
    }

    [Fact]
    public void The_time_of_an_entry_lies_within_what_the_ledgers_clock_allows()
    {
        Assert.Equal(LedgerSamples.Now, LedgerSamples.Count(LedgerSamples.Report(1, 1) with { At = LedgerSamples.Now.AddYears(9) }, LedgerSamples.Now).At);
        Assert.Equal(LedgerSamples.Now.AddDays(-30), LedgerSamples.Count(LedgerSamples.Report(1, 1) with { At = DateTimeOffset.MinValue }, LedgerSamples.Now).At);
        Assert.Equal(LedgerSamples.Now.AddDays(-1), LedgerSamples.Count(LedgerSamples.Report(1, 1) with { At = LedgerSamples.Now.AddDays(-1) }, LedgerSamples.Now).At);
    }

    [Fact]
    public void Many_checks_that_passed_hide_neither_a_failure_nor_the_work()
    {
        var sequence = 0;
        var recent = LedgerSamples.Fold([
            .. Enumerable.Range(0, 20).Select(_ => Entry(1, ++sequence)),
            .. Enumerable.Range(0, 3).Select(_ => Check(CheckOutcome.Hard)),
            .. Enumerable.Range(0, 500).Select(_ => Check(CheckOutcome.Passed))]).Recent;
        Assert.Equal(50, recent.Length);
        Assert.Equal(3, recent.Count(entry => entry.Check?.Outcome == CheckOutcome.Hard));
        Assert.Equal(20, recent.Count(entry => entry.Check is null));

        WorkCounted Check(CheckOutcome outcome) => LedgerSamples.Count(LedgerSamples.Check(1, ++sequence, outcome), LedgerSamples.Now);
    }

    [Fact]
    public void A_check_is_judged_by_the_settings_of_its_day_whatever_they_are_later()
    {
        var strict = LedgerSamples.Trust with { HardStep = 20, ExcludeAt = 20 };
        var harsh = WorkRules.Count(LedgerSamples.Check(1, 1, CheckOutcome.Hard), LedgerSamples.Now, strict, Conduct.New);
        Assert.Equal(LedgerSamples.Now, LedgerSamples.Fold([harsh]).Server.ExcludedAt);
        var mild = LedgerSamples.Count(LedgerSamples.Check(1, 1, CheckOutcome.Hard), LedgerSamples.Now);
        Assert.Equal((null, 6.908), (LedgerSamples.Fold([mild]).Server.ExcludedAt, LedgerSamples.Fold([mild]).Server.Score));
    }

    [Fact]
    public void Three_hard_failures_exclude_a_server_and_say_nothing_of_it_as_a_verifier()
    {
        var state = LedgerSamples.Fold(Enumerable.Range(1, 3).Select(i => LedgerSamples.Count(LedgerSamples.Check(1, i, CheckOutcome.Hard), LedgerSamples.Now)));
        Assert.Equal((TrustTier.Excluded, TrustTier.Probation), (state.ToRecord(LedgerSamples.Trust, LedgerSamples.Later).ServerTier, state.ToRecord(LedgerSamples.Trust, LedgerSamples.Later).VerifierTier));
        Assert.Equal(0, state.Reward + state.Penalty + state.Sessions + state.Tokens);
        var standing = state.ToStanding(LedgerSamples.Trust, Address.AllSystems)!;
        Assert.Equal((TrustTier.Excluded, TrustTier.Probation, 3 * 6.908, 3L), (standing.Server, standing.Verifier, Math.Round(standing.Score, 3), standing.Revision));
    }

    [Fact]
    public void A_check_counts_only_with_possible_facts()
    {
        var check = LedgerSamples.Check(1, 1, CheckOutcome.Hard);
        var facts = check.Check!;
        Assert.Null(Problem(check));
        Assert.Null(Problem(check with { Check = facts with { Verifier = default } }));
        Assert.Null(Problem(check with { Check = facts with { Role = TrustRole.Verifier, Verifier = LedgerSamples.Device } }));
        Assert.Contains("does not say", Problem(check with { Check = null }), StringComparison.Ordinal);
        Assert.Contains("beside the outcome", Problem(check with { Outcome = WorkOutcome.Served }), StringComparison.Ordinal);
        Assert.Contains("no positions", Problem(check with { Tokens = 0 }), StringComparison.Ordinal);
        Assert.Contains("role", Problem(check with { Check = facts with { Role = 0 } }), StringComparison.Ordinal);
        Assert.Contains("outcome of the check", Problem(check with { Check = facts with { Outcome = (CheckOutcome)4 } }), StringComparison.Ordinal);
        Assert.Contains("impossible", Problem(check with { Check = facts with { Position = -1 } }), StringComparison.Ordinal);
        Assert.Contains("impossible", Problem(check with { Check = facts with { Position = ProtocolLimits.SessionTokens - 15 } }), StringComparison.Ordinal);
        Assert.Contains("own verifier", Problem(check with { Check = facts with { Verifier = LedgerSamples.Device } }), StringComparison.Ordinal);
        Assert.Contains("reason", Problem(check with { Check = facts with { Reason = new string('x', 257) } }), StringComparison.Ordinal);

        static string? Problem(RecordWork report) => WorkRules.Problem(report.Device, report.Range, report.Outcome, report.Tokens, report.Check);
    }

    private static WorkCounted Entry(int reporter, long sequence) => LedgerSamples.Count(LedgerSamples.Report(reporter, sequence), LedgerSamples.Now);

    private bool Same(ReputationState a, ReputationState b) => _serializer.ToBinary(a).AsSpan().SequenceEqual(_serializer.ToBinary(b));
}
