using Akka.Actor;
using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Protocol.Wire;
using EFedLLM.Actors.Trust;
using Xunit.Abstractions;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Tests.Reputation;

public sealed class LedgerSerializerTests(WireFixture fixture, ITestOutputHelper output) : IClassFixture<WireFixture>
{
    private const string StoredEntry = "0a0d0a090900000000050000001007121209dddddddddddddddd11dddddddddddddddd1a1209efcdab896745230111efcdab8967452301222409aaaaaaaaaaaaaaaa11aaaaaaaaaaaaaaaa19aaaaaaaaaaaaaaaa21aaaaaaaaaaaaaaaa2a0408021005300138644080a5d7bfd4e9c9f10849333333333333d33f";
    private const string StoredState = "0a1209dddddddddddddddd11dddddddddddddddd1080a5d7bfd4e9c9f1081880a5d7bfd4e9c9f10820012801306438ac0251333333333333d33f62280a1209efcdab896745230111efcdab8967452301100118642204080210052880a5d7bfd4e9c9f1086a180a0909000000000500000010071901000000000000002001";
    private const string StoredWaiting = "0a0d0a090900000000050000001007121209dddddddddddddddd11dddddddddddddddd1a1209efcdab896745230111efcdab8967452301222409aaaaaaaaaaaaaaaa11aaaaaaaaaaaaaaaa19aaaaaaaaaaaaaaaa21aaaaaaaaaaaaaaaa2a0408021005300138644080a5d7bfd4e9c9f108";

    private readonly LedgerSerializer _serializer = new((ExtendedActorSystem)fixture.System);

    [Fact]
    public void Every_entry_comes_back_as_it_was()
        => LedgerSamples.Reports.Sample(
            report =>
            {
                var entry = LedgerSamples.Count(report, LedgerSamples.Now);
                return entry == (WorkCounted)_serializer.FromBinary(_serializer.ToBinary(entry), "wc");
            },
            iter: 300,
            threads: 1);

    [Fact]
    public void Every_state_comes_back_as_it_was()
        => LedgerSamples.Histories.Sample(
            history =>
            {
                var state = LedgerSamples.Fold(history);
                var back = (ReputationState)_serializer.FromBinary(_serializer.ToBinary(state), "rs");
                Assert.Equal(state.ToRecord(LedgerSamples.Trust, LedgerSamples.Later), back.ToRecord(LedgerSamples.Trust, LedgerSamples.Later));
                Assert.Equal(state.Reporters.OrderBy(reporter => reporter.Key), back.Reporters.OrderBy(reporter => reporter.Key));
                Assert.Equal(state.Entries, back.Entries);
            },
            iter: 100,
            threads: 1);

    [Fact]
    public void The_largest_state_fits_its_bound()
    {
        var largest = LedgerSamples.Fold(Enumerable.Range(0, 2 * ReputationState.MostReporters).Select(i => LedgerSamples.Count(
            LedgerSamples.Report(1, long.MaxValue, ProtocolLimits.SessionTokens, WorkOutcome.Failed) with { Id = new ReportId(Guid.NewGuid(), long.MaxValue) },
            LedgerSamples.Now)));
        Assert.IsType<ReputationState>(_serializer.FromBinary(_serializer.ToBinary(largest), "rs"));
    }

    [Fact]
    public void The_largest_check_in_any_script_fits_its_bound()
    {
        var most = new CheckFacts(
            TrustRole.Verifier, CheckOutcome.Hard, 1, LedgerSamples.Checker, new Digest(1, 2, 3, 4), new Digest(1, 2, 3, 4), new Digest(1, 2, 3, 4), new string('\u4e16', ProtocolLimits.ReasonCharacters));
        var report = LedgerSamples.Report(1, long.MaxValue, ProtocolLimits.SessionTokens - 1, WorkOutcome.Checked, most);
        var entry = LedgerSamples.Count(report, LedgerSamples.Now);
        Assert.Equal(entry, _serializer.FromBinary(_serializer.ToBinary(entry), "wc"));
        Assert.Equal(report, OutboxForm.Read(OutboxForm.Write(report)));
        var state = LedgerSamples.Fold(Enumerable.Range(0, 2 * ReputationState.MostReporters).Select(i => entry with { Id = new ReportId(Guid.NewGuid(), long.MaxValue) }));
        Assert.IsType<ReputationState>(_serializer.FromBinary(_serializer.ToBinary(state), "rs"));
        Assert.Equal(state.ToRecord(LedgerSamples.Trust, LedgerSamples.Later), fixture.Serializer.FromBinary(fixture.Serializer.ToBinary(state.ToRecord(LedgerSamples.Trust, LedgerSamples.Later)), "dr"));
    }

    /// <summary>Bytes as the version before checks wrote them.</summary>
    [Fact]
    public void What_was_stored_before_there_were_checks_is_read_as_it_was()
    {
        var entry = (WorkCounted)_serializer.FromBinary(Convert.FromHexString(StoredEntry), "wc");
        Assert.Equal((5, 7L, 100, 0.3, LedgerSamples.Now), (entry.Id.Reporter.ToByteArray()[0], entry.Id.Sequence, entry.Tokens, entry.Reward, entry.At));
        Assert.Equal((WorkOutcome.Served, null, null), (entry.Outcome, entry.Check, entry.Terms));

        var state = (ReputationState)_serializer.FromBinary(Convert.FromHexString(StoredState), "rs");
        Assert.Equal(LedgerSamples.Fold([entry]).ToRecord(LedgerSamples.Trust, LedgerSamples.Later), state.ToRecord(LedgerSamples.Trust, LedgerSamples.Later));
        Assert.Equal((RoleStanding.New, RoleStanding.New), (state.Server, state.Verifier));
        Assert.Null(state.ToStanding(LedgerSamples.Trust, Address.AllSystems));
        Assert.Same(state, state.Apply(entry));
        Assert.Equal(1, state.Apply(LedgerSamples.Count(LedgerSamples.Check(1, 1, CheckOutcome.Passed), LedgerSamples.Now)).Server.Passed);

        var waiting = OutboxForm.Read(Convert.FromHexString(StoredWaiting));
        Assert.Equal(entry, LedgerSamples.Count(waiting, LedgerSamples.Now) with { CountedAt = null });
    }

    [Fact]
    public void Names_on_disk_never_change()
    {
        Assert.Equal(2412, _serializer.Identifier);
        Assert.Equal("wc", _serializer.Manifest(LedgerSamples.Count(LedgerSamples.Report(1, 1), LedgerSamples.Now)));
        Assert.Equal("rs", _serializer.Manifest(ReputationState.Empty(LedgerSamples.Device)));
    }

    [Fact]
    public void Damaged_bytes_are_read_or_refused_and_nothing_else()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var samples = new (string Manifest, byte[] Bytes)[]
        {
            ("wc", _serializer.ToBinary(LedgerSamples.Count(LedgerSamples.Check(1, 1, CheckOutcome.Hard), LedgerSamples.Now))),
            ("rs", _serializer.ToBinary(LedgerSamples.Fold(Enumerable.Range(1, 9).Select(i => LedgerSamples.Count(LedgerSamples.Check(i, i, CheckOutcome.Hard), LedgerSamples.Now))))),
            ("wc", _serializer.ToBinary(LedgerSamples.Count(LedgerSamples.Report(1, 1), LedgerSamples.Now))),
            ("rs", _serializer.ToBinary(LedgerSamples.Fold(Enumerable.Range(1, 9).Select(i => LedgerSamples.Count(LedgerSamples.Report(i, i), LedgerSamples.Now))))),
        };
        foreach (var (manifest, bytes) in samples)
        {
            for (var length = 0; length < bytes.Length; length++)
            {
                ReadOrRefuse(bytes[..length], manifest);
            }

            for (var round = 0; round < 3000; round++)
            {
                byte[] damaged = [.. bytes];
                for (var flips = random.Next(1, 9); flips > 0; flips--)
                {
                    damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
                }

                ReadOrRefuse(damaged, manifest);
            }
        }

        Assert.Throws<MalformedMessageException>(() => _serializer.FromBinary(new byte[1 << 20], "rs"));
        Assert.Throws<MalformedMessageException>(() => _serializer.FromBinary([], "rw"));
    }

    [Fact]
    public void Every_senseless_field_is_refused_by_name()
    {
        Refused("wc", Form.WorkCounted.Parser, form => form.Id.Sequence = 0, "sequence");
        Refused("wc", Form.WorkCounted.Parser, form => form.Device = null, "device");
        Refused("wc", Form.WorkCounted.Parser, form => form.Outcome = 9, "outcome");
        Refused("wc", Form.WorkCounted.Parser, form => form.Tokens = -1, "tokens");
        Refused("wc", Form.WorkCounted.Parser, form => form.Reward = double.NaN, "reward");
        Refused("wc", Form.WorkCounted.Parser, form => form.CountedAt = -1, "counted_at");
        Refused("wc", Form.WorkCounted.Parser, form => form.Penalty = -1, "penalty");
        Refused("wc", Form.WorkCounted.Parser, form => form.Outcome = (int)WorkOutcome.Checked, "check is missing");
        Refused("wc", Form.WorkCounted.Parser, form => form.Check = new Form.CheckFacts { Role = 1, Outcome = 1 }, "check stands beside");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Check.Role = 3, "role");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Check.Outcome = 0, "outcome of the check");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Check.Position = -1, "position");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Check.Reason = new string('x', ProtocolLimits.ReasonCharacters + 1), "reason");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms = null, "terms");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.Step = double.NaN, "step");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.ExcludeAt = -1, "exclude_at");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.MostHardFailures = 0, "most_hard_failures");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.HardWindow = -1, "hard_window");
        Refused("rs", Form.ReputationState.Parser, form => form.Server = new Form.RoleStanding { Score = double.NaN }, "score");
        Refused("rs", Form.ReputationState.Parser, form => form.Verifier = new Form.RoleStanding { Passed = -1 }, "passed");
        Refused("rs", Form.ReputationState.Parser, form => form.Server = new Form.RoleStanding { HardTimes = { new long[ProtocolLimits.HardTimes + 1] } }, "hard_times");
        Refused("rs", Form.ReputationState.Parser, form => form.Server = new Form.RoleStanding { ExcludedAt = -1 }, "excluded_at");
        Refused("rs", Form.ReputationState.Parser, form => form.Credit.Vested = -1, "vested");
        Refused("rs", Form.ReputationState.Parser, form => form.Credit.Lying[0].Amount = double.NaN, "amount");
        Refused("rs", Form.ReputationState.Parser, form => form.Credit.Lying[0].Until = -1, "until");
        Refused("rs", Form.ReputationState.Parser, form => form.Credit.Lying.AddRange(Enumerable.Repeat(form.Credit.Lying[0], CreditVault.MostHours)), "lying");
        Refused("rs", Form.ReputationState.Parser, form => form.Entries = -1, "entries");
        Refused("rs", Form.ReputationState.Parser, form => form.Reporters[0].Highest = 0, "highest");
        Refused("rs", Form.ReputationState.Parser, form => form.Reporters.Add(form.Reporters[0]), "twice");
        Refused("rs", Form.ReputationState.Parser, form => form.Recent.AddRange(Enumerable.Repeat(form.Recent[0], 50)), "recent");
        Refused("rs", Form.ReputationState.Parser, form => form.Reporters.AddRange(Enumerable.Repeat(form.Reporters[0], ReputationState.MostReporters)), "reporters");
    }

    private static Form.WorkCounted Check(Form.WorkCounted form)
    {
        form.Outcome = (int)WorkOutcome.Checked;
        form.Check = new Form.CheckFacts { Role = 1, Outcome = 1 };
        form.Terms = new Form.CheckTerms { Step = 1, ExcludeAt = 1, MostHardFailures = 1 };
        return form;
    }

    private void Refused<TForm>(string manifest, Google.Protobuf.MessageParser<TForm> parser, Action<TForm> damage, string field)
        where TForm : Google.Protobuf.IMessage<TForm>
    {
        var entry = LedgerSamples.Count(LedgerSamples.Report(1, 1), LedgerSamples.Now);
        var form = parser.ParseFrom(_serializer.ToBinary(manifest == "wc" ? entry : LedgerSamples.Fold([entry])));
        damage(form);
        var error = Assert.Throws<MalformedMessageException>(() => _serializer.FromBinary(Google.Protobuf.MessageExtensions.ToByteArray(form), manifest));
        Assert.Contains(field, error.Message, StringComparison.Ordinal);
    }

    private void ReadOrRefuse(byte[] bytes, string manifest)
    {
        try
        {
            Assert.IsAssignableFrom<ILedgerStored>(_serializer.FromBinary(bytes, manifest));
        }
        catch (MalformedMessageException)
        {
            // Refused, as it should be.
        }
    }
}
