using System.Collections.Immutable;
using System.Threading.Channels;
using Akka.Actor;
using Akka.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Hosting;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Tests.Hosting;

public class OwnVerdictsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly Address Node = new("akka.tcp", "efedllm", "127.0.0.1", 1);
    private static readonly DeviceId Device = new(new string('d', 32));
    private static readonly DateTimeOffset Now = new(2030, 5, 6, 7, 8, 9, TimeSpan.Zero);

    [Theory]
    [InlineData(0, TrustTier.Probation, TrustTier.Probation, false)]
    [InlineData(2.3, TrustTier.Quarantined, TrustTier.Probation, false)]
    [InlineData(4.6, TrustTier.Quarantined, TrustTier.Probation, true)]
    [InlineData(2.3, TrustTier.Excluded, TrustTier.Probation, true)]
    [InlineData(2.3, TrustTier.Quarantined, TrustTier.Quarantined, true)]
    [InlineData(2.3, TrustTier.Quarantined, TrustTier.Excluded, true)]
    public void Only_a_standing_that_says_more_against_a_device_is_told_of(double score, TrustTier server, TrustTier verifier, bool isWorse)
        => Assert.Equal(isWorse, OwnVerdicts.IsWorse(Standing(2.3, TrustTier.Quarantined, TrustTier.Probation), Standing(score, server, verifier)));

    [Fact]
    public void A_verdict_is_told_once_with_all_that_is_needed_to_look_at_it_or_to_appeal()
    {
        var told = new HashSet<VerdictId>();
        var record = Record([Verdict(2) with { Struck = "it did not replay" }, Passed, Verdict(1)]);
        var lines = OwnVerdicts.Lines(record, told).ToList();
        Assert.Equal(2, lines.Count);
        Assert.All(
            new[] { new SessionId(new Guid(1, 0, 0, new byte[8])).ToString(), "[2, 5)", "positions 16 to 31", "another root", Right.ToString(), Wrong.ToString(), "ledger prove", $"ledger appeal dddddddd {Id(1)}" },
            part => Assert.Contains(part, lines[0], StringComparison.Ordinal));
        Assert.Contains("is checked now", lines[1], StringComparison.Ordinal);
        Assert.Empty(OwnVerdicts.Lines(record, told));
    }

    [Fact]
    public void Of_many_verdicts_the_latest_are_told_the_oldest_of_them_first_and_how_many_there_are_besides()
    {
        var until = new Exclusion(false, Now.AddDays(30), 9.21, 4096);
        var record = Record([.. Enumerable.Range(1, 10).Reverse().Select(number => Verdict(number))]) with
        {
            Server = RoleStanding.New with { ExcludedAt = Now, Exclusion = until },
            ServerTier = TrustTier.Excluded,
        };
        var lines = OwnVerdicts.Lines(record, []).ToList();
        Assert.Contains("7 more times", lines[0], StringComparison.Ordinal);
        Assert.Equal([8, 9, 10], lines.Skip(1).Take(3).Select(line => Enumerable.Range(1, 10).Single(number => line.Contains($"Verdict {Id(number)};", StringComparison.Ordinal))));
        Assert.Equal("this device is excluded as a server until 2030-06-05 07:08 UTC, as malicious, and gets no such work", lines[4]);
        Assert.Equal(5, lines.Count);
    }

    [Fact]
    public async Task What_the_cluster_hears_against_this_device_is_looked_up_in_the_ledger_and_told()
    {
        using var system = ActorSystem.Create("verdicts", ConfigurationFactory.ParseString("akka { loggers = [], stdout-loglevel = OFF }"));
        var record = Record([Verdict(1)]);
        var ledger = system.ActorOf(Props.Create(() => new Ledger(record)));
        var (feed, said) = (new ViewFeed(Node), Channel.CreateUnbounded<string>());
        using var over = new CancellationTokenSource();
        var following = OwnVerdicts.FollowAsync(feed, Device, () => Task.FromResult(ledger), words => said.Writer.TryWrite(words), over.Token);
        feed.Publish(View(Standing(0, TrustTier.Probation, TrustTier.Probation)));
        feed.Publish(View(Standing(6.9, TrustTier.Quarantined, TrustTier.Probation)));
        using var patience = new CancellationTokenSource(Patience);
        Assert.Contains("another root", await said.Reader.ReadAsync(patience.Token), StringComparison.Ordinal);
        await over.CancelAsync();
        await following.WaitAsync(Patience);
        await system.Terminate();
    }

    private static Digest Right { get; } = new(1, 2, 3, 4);

    private static Digest Wrong { get; } = new(9, 2, 3, 4);

    private static LedgerEntry Passed { get; } = new(
        new SessionId(new Guid(7, 0, 0, new byte[8])), WorkOutcome.Checked, 16, new LayerRange(2, 5), Now,
        new CheckFacts(TrustRole.Server, CheckOutcome.Passed, 0, default, default, default, default, ""));

    private static VerdictId Id(int number) => VerdictId.Of(new ReportId(new Guid(number, 0, 0, new byte[8]), number));

    private static LedgerEntry Verdict(int number) => new(
        new SessionId(new Guid(number, 0, 0, new byte[8])), WorkOutcome.Checked, 16, new LayerRange(2, 5), Now,
        new CheckFacts(TrustRole.Server, CheckOutcome.Hard, 16, default, Right, Wrong, Digest.Of([1]), "another root."))
    {
        Verdict = Id(number),
    };

    private static DeviceRecord Record(ImmutableArray<LedgerEntry> recent) => new(Device, Now, Now, 0, 0, 0, 0, 0, 0, 0, recent)
    {
        Server = RoleStanding.New with { Score = 6.9 },
        ServerTier = TrustTier.Quarantined,
        Verifier = RoleStanding.New,
        VerifierTier = TrustTier.Probation,
    };

    private static DeviceStanding Standing(double score, TrustTier server, TrustTier verifier) => new(Device, server, verifier, score, 1, Node);

    private static ClusterView View(DeviceStanding standing) => ClusterView.Empty(Node) with { Standings = ImmutableDictionary<DeviceId, DeviceStanding>.Empty.Add(Device, standing) };

    private sealed class Ledger : ReceiveActor
    {
        public Ledger(DeviceRecord record) => Receive<GetDeviceRecord>(_ => Sender.Tell(record));
    }
}
