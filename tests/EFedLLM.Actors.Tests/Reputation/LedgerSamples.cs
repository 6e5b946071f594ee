using System.Security.Cryptography;
using CsCheck;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>Reports, entries and states of one device.</summary>
internal static class LedgerSamples
{
    public static readonly DeviceId Device = new(new string('d', 32));

    public static readonly DateTimeOffset Now = new(2030, 5, 6, 7, 8, 9, TimeSpan.Zero);

    public static readonly DeviceId Checker = new(new string('c', 32));

    public static readonly TrustSettings Trust = new();

    /// <summary>When all credit earned until <see cref="Now"/> is due.</summary>
    public static readonly DateTimeOffset Later = Now.AddDays(2);

    /// <summary>Of whoever reports, where it matters to no test who that is.</summary>
    public static readonly DeviceKey Key = DeviceKey.Of(SHA256.HashData("reporter"u8));

    /// <summary>The cluster of nodes that use no TLS.</summary>
    public static readonly ClusterId Cluster = ClusterId.WithoutTls(ClusterNames.System);

    private static readonly ModelId Model = new(new string('a', 64));

    private static readonly Gen<Digest> Digests = Gen.Select(Gen.ULong, Gen.ULong, Gen.ULong, Gen.ULong).Select((a, b, c, d) => new Digest(a, b, c, d));

    /// <summary>What checks of this device may show.</summary>
    public static readonly Gen<CheckFacts> Checks = Gen.Select(
        Gen.Int[1, 2], Gen.Int[1, 6], Gen.Int[0, 1000], Gen.Bool, Digests, Digests, Gen.Char.AlphaNumeric.Array[0, 40])
        .Select((role, outcome, position, recomputed, expected, found, reason) => new CheckFacts(
            (TrustRole)role, (CheckOutcome)Math.Max(1, outcome - 3), position, recomputed ? Checker : default, recomputed ? expected : default, found, default, new string(reason)));

    /// <summary>Reports of few reporters with few numbers, so that many are repeated and out of order.</summary>
    public static readonly Gen<RecordWork> Reports = Gen.Select(
        Gen.Select(Gen.Int[1, 3], Gen.Long[1, 100]), Gen.Guid, Gen.Int[0, 10], Gen.Int[1, 10], Gen.Int[1, 7], Gen.Int[0, 5000], Gen.Int[-100, 100], Checks)
        .Select((id, session, first, count, outcome, tokens, minutes, check) => Report(
            id.Item1, id.Item2, outcome == 5 ? 1 + (tokens % 16) : tokens, (WorkOutcome)outcome, outcome == 5 ? check : null) with
        {
            Session = new SessionId(session),
            Range = new LayerRange(first, first + count),
            At = Now.AddMinutes(minutes),
            Amount = outcome == (int)WorkOutcome.Found ? 1 + tokens : 0,
            Signed = minutes % 2 == 0 ? new ReportSignature([.. Key.PublicKey.Span], []) : null,
        });

    public static readonly Gen<WorkCounted[]> Histories = Reports.Select(report => Count(report, Now)).Array[0, 150];

    public static Guid Reporter(int number) => new(number, 0, 0, new byte[8]);

    public static RecordWork Report(int reporter, long sequence, int tokens = 100, WorkOutcome outcome = WorkOutcome.Served, CheckFacts? check = null)
        => new(new ReportId(Reporter(reporter), sequence), Device, new SessionId(Guid.Empty), Model, new LayerRange(0, 8), outcome, tokens, Now, check);

    /// <summary>A report as it goes to a ledger.</summary>
    public static RecordWork Sign(RecordWork report, DeviceKey? key = null) => ReportSigning.Sign(report, key ?? Key, Cluster);

    /// <summary>A report of a check of one unit of 16 positions.</summary>
    public static RecordWork Check(int reporter, long sequence, CheckOutcome outcome, TrustRole role = TrustRole.Server)
        => Report(reporter, sequence, 16, WorkOutcome.Checked, new CheckFacts(
            role, outcome, 32, Checker, new Digest(1, 2, 3, 4), new Digest(outcome == CheckOutcome.Passed ? 1UL : 9, 2, 3, 4), default, outcome == CheckOutcome.Passed ? "" : "a test"));

    /// <summary>A device with a full standing as a server: it earns all that its work is worth.</summary>
    public static readonly Conduct Full = Conduct.New with { Server = RoleStanding.New with { PassedTokens = 1 << 20 } };

    /// <summary>The entry for a report on a device with a full standing.</summary>
    public static WorkCounted Count(RecordWork report, DateTimeOffset now) => WorkRules.Count(report, now, Trust, Full);

    public static ReputationState Fold(IEnumerable<WorkCounted> entries) => entries.Aggregate(ReputationState.Empty(Device), (state, entry) => state.Apply(entry));
}
