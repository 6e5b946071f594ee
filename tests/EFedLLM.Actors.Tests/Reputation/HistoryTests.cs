using Akka.Actor;
using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Protocol.Wire;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>What follows from entries, and from taking verdicts back.</summary>
public sealed class HistoryTests(WireFixture fixture) : IClassFixture<WireFixture>
{
    // Numbers of which all sums are exact, so that equal means equal.
    private static readonly TrustSettings Exact = new() { VerifierShare = 2, PassStep = -1, SoftStep = 4, HardStep = 7, ExcludeAt = 18, MostHardFailures = 4 };

    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Entries over some weeks: work, verified work, rewards of finders, checks in both roles, and looks at whether an exclusion is over.</summary>
    private static readonly Gen<ILedgerStored[]> Lives = Gen.Select(LedgerSamples.Reports, Gen.Int[0, 9], Gen.Int[0, 90]).Array[0, 200].Select(Live);

    private readonly LedgerSerializer _serializer = new((ExtendedActorSystem)fixture.System);

    [Fact]
    public void Taking_a_verdict_back_is_as_if_its_entry_had_never_been()
        => Gen.Select(Lives, Gen.Int[0, 1000], Gen.Double[0, 1]).Sample(
            (life, which, when) =>
            {
                var failures = life.OfType<WorkCounted>().Where(IsFailure).TakeLast(History.MostSegments / 2).ToArray();
                if (failures.Length == 0)
                {
                    return;
                }

                var failure = failures[which % failures.Length];
                var struck = new VerdictStruck(VerdictId.Of(failure.Id), "a test", Start);
                var at = Array.IndexOf(life, failure) + 1;
                var cut = at + (int)((life.Length - at) * when);
                var state = Fold([.. life[..cut], struck, .. life[cut..]]);
                Assert.Equal(Fold([.. life.Where(entry => !ReferenceEquals(entry, failure))]).History.Now, state.History.Now);
                Assert.Equal("a test", state.Recent.FirstOrDefault(entry => entry.Verdict == struck.Verdict)?.Struck ?? "a test");

                // Once more changes nothing, nor does its entry when it is reported once more.
                Assert.Same(state, state.Apply(struck));
                Assert.Same(state, state.Apply(failure));
            },
            iter: 500,
            threads: 1);

    [Fact]
    public void Any_prefix_stored_as_a_snapshot_and_the_rest_give_the_state_of_all_with_verdicts_taken_back()
        => Gen.Select(Lives, Gen.Int[0, 1000], Gen.Double[0, 1]).Sample(
            (life, which, part) =>
            {
                var failures = life.OfType<WorkCounted>().Where(IsFailure).ToArray();
                ILedgerStored[] all = failures.Length == 0 ? life : [.. life, new VerdictStruck(VerdictId.Of(failures[which % failures.Length].Id), "a test", Start), .. life.Take(3), new FinderPaid(1)];
                var cut = (int)(all.Length * part);
                var snapshot = (ReputationState)_serializer.FromBinary(_serializer.ToBinary(Fold(all[..cut])), "rs");
                return _serializer.ToBinary(Fold(all)).AsSpan().SequenceEqual(_serializer.ToBinary(all[cut..].Aggregate(snapshot, After)));
            },
            iter: 300,
            threads: 1);

    [Fact]
    public void Nothing_that_was_earned_is_lost_or_made_whatever_is_taken_back()
        => Gen.Select(Lives, Gen.Int[0, 1000]).Sample(
            (life, which) =>
            {
                var failures = life.OfType<WorkCounted>().Where(IsFailure).ToArray();
                var state = Fold(life);
                if (failures.Length > 0)
                {
                    state = state.Apply(new VerdictStruck(VerdictId.Of(failures[which % failures.Length].Id), "a test", Start));
                }

                var record = state.ToRecord(Exact, Start.AddYears(1));
                Assert.Equal(record.Reward, record.Escrow + record.Unvested + record.Vested + record.Slashed);
            },
            iter: 300,
            threads: 1);

    [Fact]
    public void A_history_keeps_no_more_than_it_may_and_says_of_what_it_forgot_that_it_cannot_be_taken_back()
    {
        var entries = Enumerable.Range(1, History.MostSegments + 6).Select(i => LedgerSamples.Count(LedgerSamples.Check(1, i, CheckOutcome.Soft), Start.AddMinutes(i))).ToArray();
        var state = LedgerSamples.Fold(entries);
        Assert.Equal(History.MostSegments, state.History.Ended.Length);
        Assert.Equal(entries.Length, state.Server.Soft);
        Assert.Equal(StrikeResult.Unknown, state.Find(VerdictId.Of(entries[5].Id)));
        Assert.Equal(StrikeResult.Struck, state.Find(VerdictId.Of(entries[6].Id)));
        Assert.Same(state, state.Apply(new VerdictStruck(VerdictId.Of(entries[5].Id), "", Start)));
        Assert.Equal(entries.Length - 1, state.Apply(new VerdictStruck(VerdictId.Of(entries[6].Id), "", Start)).Server.Soft);
    }

    [Fact]
    public void Months_of_work_and_of_checks_that_passed_take_little_room()
    {
        var state = Enumerable.Range(1, 20_000).Aggregate(ReputationState.Empty(LedgerSamples.Device), (before, i) => before.Apply(LedgerSamples.Count(
            i % 2 == 0 ? LedgerSamples.Report(1, i) with { Size = new WorkSize(1e9 * i, 1e9) } : LedgerSamples.Check(1, i, CheckOutcome.Passed), Start.AddMinutes(7 * i))));
        Assert.Equal((10_000L, 10_000L), (state.Sessions, state.Server.Passed));
        Assert.InRange(_serializer.ToBinary(state).Length, 0, 12_000);
    }

    [Fact]
    public void The_largest_history_fits_its_bound()
    {
        var sequence = 0;
        var state = ReputationState.Empty(LedgerSamples.Device);
        for (var segment = 0; segment <= History.MostSegments; segment++)
        {
            for (var i = 0; i < HistorySegment.MostEarned + 3; i++)
            {
                state = state.Apply(LedgerSamples.Count(LedgerSamples.Report(1, ++sequence) with { Size = new WorkSize(1e9, 1e9 + i) }, Start.AddDays(segment)));
            }

            Assert.InRange(state.History.Open.Earned.Length, 1, HistorySegment.MostEarned);
            state = state.Apply(LedgerSamples.Count(LedgerSamples.Check(1, ++sequence, CheckOutcome.Soft), Start.AddDays(segment)));
        }

        var bytes = _serializer.ToBinary(state);
        Assert.InRange(bytes.Length, 0, 900 * 1024);
        Assert.Equal(state.History.Now, ((ReputationState)_serializer.FromBinary(bytes, "rs")).History.Now);
    }

    [Fact]
    public void Verdicts_have_names_that_can_be_typed_and_tell_them_apart()
    {
        Assert.Equal(VerdictId.Of(new ReportId(LedgerSamples.Reporter(1), 1)), VerdictId.Of(new ReportId(LedgerSamples.Reporter(1), 1)));
        Assert.Equal(VerdictId.Digits, VerdictId.Of(new ReportId(LedgerSamples.Reporter(1), 1)).Value.Length);
        Assert.Equal(5000, Enumerable.Range(1, 5000).Select(i => VerdictId.Of(new ReportId(LedgerSamples.Reporter(i % 7), i))).Distinct().Count());
        Assert.Throws<FormatException>(() => new VerdictId("012345678"));
        Assert.Throws<FormatException>(() => new VerdictId("012345678G"));
    }

    private static ILedgerStored[] Live((RecordWork Report, int Kind, int Minutes)[] steps)
    {
        var (stored, now) = (new List<ILedgerStored>(), Start);
        foreach (var (i, (report, kind, minutes)) in steps.Index())
        {
            now = now.AddMinutes(kind == 9 ? minutes * 600 : minutes);
            stored.Add(kind == 8
                ? new DeviceReturned(minutes % 2 == 0 ? TrustRole.Server : TrustRole.Verifier, now)
                : WorkRules.Count(report with { Id = new ReportId(LedgerSamples.Reporter(1), i + 1), Size = new WorkSize(report.Tokens * 1e9, (1 + (minutes % 2)) * 1e9), At = now }, now, Exact, LedgerSamples.Full));
        }

        return [.. stored];
    }

    private static bool IsFailure(WorkCounted entry) => entry.Check is { Outcome: not CheckOutcome.Passed };

    private static ReputationState Fold(IEnumerable<ILedgerStored> stored) => stored.Aggregate(ReputationState.Empty(LedgerSamples.Device), After);

    private static ReputationState After(ReputationState state, ILedgerStored stored) => stored switch
    {
        WorkCounted entry => state.Apply(entry),
        DeviceReturned back => state.Apply(back),
        VerdictStruck struck => state.Apply(struck),
        FinderPaid paid => state.Apply(paid),
        _ => throw new ArgumentException($"{stored}", nameof(stored)),
    };
}
