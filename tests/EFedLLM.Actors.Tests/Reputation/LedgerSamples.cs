using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>Reports, entries and states of one device.</summary>
internal static class LedgerSamples
{
    public static readonly DeviceId Device = new(new string('d', 32));

    public static readonly DateTimeOffset Now = new(2030, 5, 6, 7, 8, 9, TimeSpan.Zero);

    private static readonly ModelId Model = new(new string('a', 64));

    /// <summary>Reports of few reporters with few numbers, so that many are repeated and out of order.</summary>
    public static readonly Gen<RecordWork> Reports = Gen.Select(
        Gen.Int[1, 3], Gen.Long[1, 100], Gen.Guid, Gen.Int[0, 10], Gen.Int[1, 10], Gen.Int[1, 3], Gen.Int[0, 5000], Gen.Int[-100, 100])
        .Select((reporter, sequence, session, first, count, outcome, tokens, minutes) => Report(reporter, sequence, tokens, (WorkOutcome)outcome) with
        {
            Session = new SessionId(session),
            Range = new LayerRange(first, first + count),
            At = Now.AddMinutes(minutes),
        });

    public static readonly Gen<WorkCounted[]> Histories = Reports.Select(report => WorkRules.Count(report, Now)).Array[0, 150];

    public static Guid Reporter(int number) => new(number, 0, 0, new byte[8]);

    public static RecordWork Report(int reporter, long sequence, int tokens = 100, WorkOutcome outcome = WorkOutcome.Served)
        => new(new ReportId(Reporter(reporter), sequence), Device, new SessionId(Guid.Empty), Model, new LayerRange(0, 8), outcome, tokens, Now);

    public static ReputationState Fold(IEnumerable<WorkCounted> entries) => entries.Aggregate(ReputationState.Empty(Device), (state, entry) => state.Apply(entry));
}
