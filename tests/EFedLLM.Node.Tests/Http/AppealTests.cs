using System.Threading.Channels;
using Akka.Actor;
using Akka.Configuration;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Tests.Http;

/// <summary>From the client through the real server and the real desk to an actor in the ledger's place.</summary>
public sealed class AppealTests : IAsyncLifetime
{
    private static readonly DeviceId Device = new(new string('d', 32));
    private static readonly Digest Proof = new(1, 2, 3, 4);
    private static readonly VerdictId Proven = new("00aabbccdd");
    private static readonly VerdictId Unproven = new("00aabbccee");
    private static readonly VerdictId Struck = new("11aabbccdd");

    private readonly ActorSystem _system = ActorSystem.Create("appeal", ConfigurationFactory.ParseString("akka { loggers = [], stdout-loglevel = OFF }"));
    private readonly Channel<StrikeVerdict> _strikes = Channel.CreateUnbounded<StrikeVerdict>();

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _system.Terminate();

    [Theory]
    [InlineData(ReplayResult.DoesNotHold, false, "struck", "Its proof does not hold: what was compared")]
    [InlineData(ReplayResult.DoesNotHold, true, "struck", "Its proof does not hold: what was compared")]
    [InlineData(ReplayResult.Holds, false, "stands", "Its proof holds: what was compared")]
    [InlineData(ReplayResult.Holds, true, "stands", "cannot be forced")]
    [InlineData(ReplayResult.CannotTell, false, "undecided", "what was compared")]
    [InlineData(ReplayResult.CannotTell, true, "struck", "By the operator: a reason")]
    public async Task A_verdict_stands_or_falls_with_its_proof(ReplayResult result, bool force, string outcome, string text)
    {
        var replay = new FakeReplay(new ReplayOutcome(result, "what was compared"));
        await using var server = await StartAsync(replay);
        var answer = await AppealAsync(server, "dddd", new AppealRequest("00aabbccd", force, force ? "a reason" : null));
        Assert.Equal((Device.Value, Proven.Value, outcome, Proof.ToString()), (answer.Device, answer.Verdict, answer.Outcome, answer.Proof));
        Assert.Contains(text, answer.Text, StringComparison.Ordinal);
        Assert.Equal([(Proof, new ProofSubject(Device, new SessionId(Guid.Empty)))], replay.Asked);
        Assert.Equal(outcome == "struck" ? "quarantined" : "excluded", answer.Standing);
        Assert.Equal(outcome == "struck", _strikes.Reader.TryRead(out var strike));
        Assert.True(strike is null || (strike.Device == Device && strike.Verdict == Proven && strike.Reason == answer.Text));
    }

    [Fact]
    public async Task Where_nothing_replays_proofs_and_where_there_is_none_only_force_takes_a_verdict_back()
    {
        await using var server = await StartAsync(null);
        var answer = await AppealAsync(server, Device.Value, new AppealRequest(Proven.Value));
        Assert.Equal("undecided", answer.Outcome);
        Assert.Contains("cannot replay", answer.Text, StringComparison.Ordinal);
        answer = await AppealAsync(server, Device.Value, new AppealRequest(Unproven.Value));
        Assert.Equal(("undecided", null), (answer.Outcome, answer.Proof));
        Assert.Contains("--force", answer.Text, StringComparison.Ordinal);
        Assert.False(_strikes.Reader.TryRead(out _));

        answer = await AppealAsync(server, Device.Value, new AppealRequest(Unproven.Value, true, "the disk was bad"));
        Assert.Equal(("struck", "By the operator: the disk was bad"), (answer.Outcome, answer.Text));
        Assert.Equal(new StrikeVerdict(Device, Unproven, "By the operator: the disk was bad"), await _strikes.Reader.ReadAsync());

        // One that is too old to be among the latest entries: by its whole id.
        answer = await AppealAsync(server, Device.Value, new AppealRequest("ff00000000", true, "old"));
        Assert.Equal(("struck", "ff00000000"), (answer.Outcome, answer.Verdict));

        answer = await AppealAsync(server, Device.Value, new AppealRequest(Struck.Value));
        Assert.Equal(("struck", "It was taken back before. by mistake"), (answer.Outcome, answer.Text));
    }

    [Theory]
    [InlineData("dddd", "22", "ledger show dddddddd")]
    [InlineData("dddd", "00", "more digits")]
    [InlineData("eeee", "00aabbccdd", "knows no device")]
    public async Task What_is_not_there_or_not_clear_is_told(string device, string verdict, string text)
    {
        await using var server = await StartAsync(null);
        var error = await Assert.ThrowsAsync<UserErrorException>(() => AppealAsync(server, device, new AppealRequest(verdict)));
        Assert.Contains(text, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_verdict_that_the_ledger_cannot_take_back_any_more_is_told()
    {
        await using var server = await StartAsync(null);
        var error = await Assert.ThrowsAsync<UserErrorException>(() => AppealAsync(server, "dddd", new AppealRequest("0000000000", true, "old")));
        Assert.Contains("only the latest", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A device whose journal somebody wrote into: whoever asks or appeals is told what to do.</summary>
    [Fact]
    public async Task Of_an_account_that_the_ledger_does_not_serve_the_reason_is_told()
    {
        await using var server = await StartAsync(null);
        var error = await Assert.ThrowsAsync<UserErrorException>(() => AppealAsync(server, "cccc", new AppealRequest("00")));
        Assert.Contains("entry 2 is missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("from a copy", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_an_operator_appeals_and_only_where_there_is_one()
    {
        await using var server = await StartAsync(null);
        await using var stranger = new GatewayHttpClient(server.Address, null, "wrong");
        Assert.Contains("--ca", (await Assert.ThrowsAsync<UserErrorException>(() => stranger.AppealAsync("dddd", new AppealRequest("00"), default))).Message, StringComparison.Ordinal);

        await using var open = await StartAsync(null, new ScriptedMembership { WhyNot = "start it with --ca" });
        Assert.Equal("start it with --ca", (await Assert.ThrowsAsync<UserErrorException>(() => AppealAsync(open, "dddd", new AppealRequest("00")))).Message);
        Assert.False(_strikes.Reader.TryRead(out _));
    }

    [Theory]
    [InlineData("dddd", "{}")]
    [InlineData("dddd", "null")]
    [InlineData("dddd", """{"verdict":""}""")]
    [InlineData("dddd", """{"verdict":"xyz"}""")]
    [InlineData("dddd", """{"verdict":"00aabbccdd0"}""")]
    [InlineData("dddd", """{"verdict":"00","force":true}""")]
    [InlineData("dddd", """{"verdict":"00","force":true,"reason":"  "}""")]
    [InlineData("dddd", """{"verdict":"00","force":true,"reason":"a\u0007"}""")]
    [InlineData("xyz", """{"verdict":"00"}""")]
    [InlineData("ddddddddddddddddddddddddddddddddd", """{"verdict":"00"}""")]
    public async Task An_appeal_without_sense_is_refused(string device, string body)
    {
        await using var server = await StartAsync(null);
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", ScriptedMembership.Token);
        var (status, answer) = await server.PostAsync($"/efedllm/v1/ledger/{device}/appeal", body);
        Assert.Equal(400, status);
        Assert.NotEmpty(answer.GetProperty("error").GetProperty("message").GetString()!);
        Assert.False(_strikes.Reader.TryRead(out _));
    }

    [Theory]
    [InlineData("ledger", "appeal")]
    [InlineData("ledger", "appeal", "dddd")]
    [InlineData("ledger", "appeal", "xyz", "00")]
    [InlineData("ledger", "appeal", "dddd", "00aabbccdd0")]
    [InlineData("ledger", "appeal", "dddd", "00", "--force")]
    [InlineData("ledger", "appeal", "dddd", "00", "--reason", "x")]
    public async Task A_command_line_without_sense_is_refused(params string[] arguments) => Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(arguments));

    [Fact]
    public void A_long_text_is_cut_to_what_the_ledger_keeps()
        => Assert.Equal(ProtocolLimits.ReasonCharacters, AppealRules.Decide(true, new ReplayOutcome(ReplayResult.DoesNotHold, new string('x', 999)), false, null).Text.Length);

    [Theory]
    [InlineData("struck", "is struck")]
    [InlineData("stands", "stands")]
    [InlineData("undecided", "not decided")]
    public void Each_outcome_has_words(string outcome, string words)
        => Assert.Contains(words, AppealCommand.Describe(new AppealResult(Device.Value, Proven.Value, outcome, "A text.", null, "full", "probation")), StringComparison.Ordinal);

    private static async Task<AppealResult> AppealAsync(TestServer server, string device, AppealRequest request)
    {
        await using var client = new GatewayHttpClient(server.Address, null, ScriptedMembership.Token);
        return await client.AppealAsync(device, request, default);
    }

    private Task<TestServer> StartAsync(IProofReplay? replay, ScriptedMembership? membership = null)
    {
        var strikes = _strikes.Writer;
        var ledger = _system.ActorOf(Props.Create(() => new Ledger(strikes)));
        return TestServer.StartAsync(membership: membership ?? new ScriptedMembership(), appeals: new AppealDesk(ledger, replay));
    }

    private sealed class FakeReplay(ReplayOutcome outcome) : IProofReplay
    {
        public List<(Digest Proof, ProofSubject Subject)> Asked { get; } = [];

        public Task<ReplayOutcome> ReplayAsync(Digest proof, ProofSubject subject, CancellationToken cancellation)
        {
            Asked.Add((proof, subject));
            return Task.FromResult(outcome);
        }
    }

    private sealed class Ledger : ReceiveActor
    {
        public Ledger(ChannelWriter<StrikeVerdict> strikes)
        {
            Receive<ListLedgerDevices>(_ => Sender.Tell(new LedgerDevices([new DeviceId(new string('c', 32)), Device])));
            Receive<GetDeviceRecord>(question => question.Device != Device, question => Sender.Tell(new AccountRefused(question.Device, "entry 2 is missing")));
            Receive<GetDeviceRecord>(_ => Sender.Tell(new DeviceRecord(
                Device, null, null, 0, 0, 0, 0, 0, 0, 0, [Entry(Proven, Proof, null), Entry(Unproven, default, null), Entry(Struck, Proof, "by mistake")])
            {
                ServerTier = TrustTier.Excluded,
            }));
            Receive<StrikeVerdict>(strike =>
            {
                strikes.TryWrite(strike);
                Sender.Tell(new StrikeAnswer(
                    strike.Device, strike.Verdict, strike.Verdict == new VerdictId("0000000000") ? StrikeResult.Unknown : StrikeResult.Struck, TrustTier.Quarantined, TrustTier.Probation));
            });
        }

        private static LedgerEntry Entry(VerdictId verdict, Digest proof, string? struck) => new(
            new SessionId(Guid.Empty), WorkOutcome.Checked, 16, new LayerRange(0, 2), DateTimeOffset.UnixEpoch,
            new CheckFacts(TrustRole.Server, CheckOutcome.Hard, 0, Device, default, default, proof, "another root"))
        {
            Verdict = verdict,
            Struck = struck,
        };
    }
}
