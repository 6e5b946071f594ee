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

    private const string StoredVault = "0a1209dddddddddddddddd11dddddddddddddddd1080a5d7bfd4e9c9f1081880a58b84988bcaf1082005280330af0138f80a51676666666666f63f62140a0010011819220210082880a58b84988bcaf1086284010a0010051810220210082880d5f9f5918acaf108326e080110031820221209cccccccccccccccc11cccccccccccccccc2a2409010000000000000011020000000000000019030000000000000021040000000000000032240909000000000000001102000000000000001903000000000000002104000000000000004206612074657374627c0a001005181022021008288085e8e78b89caf1083266080110011820221209cccccccccccccccc11cccccccccccccccc2a24090100000000000000110200000000000000190300000000000000210400000000000000322409010000000000000011020000000000000019030000000000000021040000000000000062140a001001183222021008288085e8e78b89caf10862140a0010011864220210082880a5d7bfd4e9c9f1086a180a09090000000005000000100b191f000000000000002005721a096f1283c0caa11b40101018012801320980d5f9f5918acaf108820133099a9999999999e93f12130880e09bdaff89caf108119a9999999999d93f1213088080bff68b8ccaf108119a9999999999c93f";

    private static readonly string[] StoredEntries =
    [
        "0a0d0a090900000000050000001007121209dddddddddddddddd11dddddddddddddddd1a00222409aaaaaaaaaaaaaaaa11aaaaaaaaaaaaaaaa19aaaaaaaaaaaaaaaa21aaaaaaaaaaaaaaaa2a021008300138644080a5d7bfd4e9c9f108499a9999999999e93f6880a5d7bfd4e9c9f108",
        "0a0d0a090900000000050000001008121209dddddddddddddddd11dddddddddddddddd1a00222409aaaaaaaaaaaaaaaa11aaaaaaaaaaaaaaaa19aaaaaaaaaaaaaaaa21aaaaaaaaaaaaaaaa2a02100830013832408085e8e78b89caf108499a9999999999d93f688085e8e78b89caf108",
        "0a0d0a090900000000050000001009121209dddddddddddddddd11dddddddddddddddd1a00222409aaaaaaaaaaaaaaaa11aaaaaaaaaaaaaaaa19aaaaaaaaaaaaaaaa21aaaaaaaaaaaaaaaa2a02100830053810408085e8e78b89caf1085a66080110011820221209cccccccccccccccc11cccccccccccccccc2a240901000000000000001102000000000000001903000000000000002104000000000000003224090100000000000000110200000000000000190300000000000000210400000000000000621c097b14ae47e17a84bf11ec51b81e856b32401805208080b6c98ed711688085e8e78b89caf108",
        "0a0d0a09090000000005000000100a121209dddddddddddddddd11dddddddddddddddd1a00222409aaaaaaaaaaaaaaaa11aaaaaaaaaaaaaaaa19aaaaaaaaaaaaaaaa21aaaaaaaaaaaaaaaa2a021008300538104080d5f9f5918acaf1085a6e080110031820221209cccccccccccccccc11cccccccccccccccc2a2409010000000000000011020000000000000019030000000000000021040000000000000032240909000000000000001102000000000000001903000000000000002104000000000000004206612074657374621c096f1283c0caa11b4011ec51b81e856b32401805208080b6c98ed7116880d5f9f5918acaf108",
        "0a0d0a09090000000005000000100b121209dddddddddddddddd11dddddddddddddddd1a00222409aaaaaaaaaaaaaaaa11aaaaaaaaaaaaaaaa19aaaaaaaaaaaaaaaa21aaaaaaaaaaaaaaaa2a021008300138194080a58b84988bcaf108499a9999999999c93f6880a58b84988bcaf108",
    ];

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
        var entry = LedgerSamples.Count(LedgerSamples.Sign(report), LedgerSamples.Now);
        Assert.Equal(LedgerSamples.Key.Device, entry.Reporter);
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
        Assert.Equal(entry, LedgerSamples.Count(waiting, LedgerSamples.Now) with { CountedAt = null, Account = null });
    }

    /// <summary>Bytes as the version before accounts wrote them: credit that is the device's own, and credit of two hours that lies still.</summary>
    [Fact]
    public void What_was_stored_before_there_were_accounts_is_read_as_it_was()
    {
        var entries = StoredEntries.Select(hex => (WorkCounted)_serializer.FromBinary(Convert.FromHexString(hex), "wc")).ToArray();
        var folded = LedgerSamples.Fold(entries);
        var stored = (ReputationState)_serializer.FromBinary(Convert.FromHexString(StoredVault), "rs");
        foreach (var state in new[] { folded, stored })
        {
            var record = state.ToRecord(LedgerSamples.Trust, LedgerSamples.Now.AddYears(9));
            Assert.Equal((1.4, 0.8, 0.6, 0.0, 0.0), (Math.Round(record.Reward, 9), record.Vested, Math.Round(record.Unvested, 9), record.Escrow, record.Slashed));
            Assert.Equal((3L, 6.908, 1L, 1L, TrustTier.Quarantined), (record.Sessions, record.Server.Score, record.Server.Passed, record.Server.Hard, record.ServerTier));
            Assert.Empty(state.Owed);

            // When enough has passed, what lies still is due 24 hours after its hour, as it always was.
            var cleared = Enumerable.Range(1, 691).Aggregate(state, (before, i) => before.Apply(LedgerSamples.Count(LedgerSamples.Check(6, i, CheckOutcome.Passed), LedgerSamples.Now)));
            Assert.Equal(0, cleared.Server.Score);
            Assert.Equal(0.8, cleared.ToRecord(LedgerSamples.Trust, new DateTimeOffset(2030, 5, 8, 13, 59, 59, TimeSpan.Zero)).Vested);
            Assert.Equal(1.2, cleared.ToRecord(LedgerSamples.Trust, new DateTimeOffset(2030, 5, 8, 14, 0, 0, TimeSpan.Zero)).Vested, 9);
            Assert.Equal(1.4, cleared.ToRecord(LedgerSamples.Trust, new DateTimeOffset(2030, 5, 8, 16, 0, 0, TimeSpan.Zero)).Vested, 9);
        }

        Assert.Equal(folded.ToRecord(LedgerSamples.Trust, LedgerSamples.Now).Server with { HardPassed = [] }, stored.ToRecord(LedgerSamples.Trust, LedgerSamples.Now).Server);
        Assert.Same(stored, stored.Apply(entries[3]));

        // Its failure came before there was a history to judge it again from; that of the entries themselves can be taken back.
        Assert.Equal(StrikeResult.Unknown, stored.Find(VerdictId.Of(entries[3].Id)));
        Assert.Equal(StrikeResult.Struck, folded.Find(VerdictId.Of(entries[3].Id)));
    }

    [Fact]
    public void Everything_else_that_is_stored_comes_back_as_it_was()
    {
        var back = new DeviceReturned(TrustRole.Verifier, LedgerSamples.Now);
        Assert.Equal(back, _serializer.FromBinary(_serializer.ToBinary(back), "rt"));
        var struck = new VerdictStruck(new VerdictId("0123456789"), "a reason", LedgerSamples.Now);
        Assert.Equal(struck, _serializer.FromBinary(_serializer.ToBinary(struck), "vs"));
        Assert.Equal(new FinderPaid(7), _serializer.FromBinary(_serializer.ToBinary(new FinderPaid(7)), "fp"));
        var row = JournalChain.Empty(LedgerSamples.Device).Append(struck).Row;
        Assert.Equal(row, _serializer.FromBinary(_serializer.ToBinary(row), "le"));
    }

    [Fact]
    public void Names_on_disk_never_change()
    {
        Assert.Equal(2412, _serializer.Identifier);
        Assert.Equal("wc", _serializer.Manifest(LedgerSamples.Count(LedgerSamples.Report(1, 1), LedgerSamples.Now)));
        Assert.Equal("rs", _serializer.Manifest(ReputationState.Empty(LedgerSamples.Device)));
        Assert.Equal("rt", _serializer.Manifest(new DeviceReturned(TrustRole.Server, LedgerSamples.Now)));
        Assert.Equal("vs", _serializer.Manifest(new VerdictStruck(default, "", LedgerSamples.Now)));
        Assert.Equal("fp", _serializer.Manifest(new FinderPaid(1)));
        Assert.Equal("le", _serializer.Manifest(JournalChain.Empty(LedgerSamples.Device).Append(new FinderPaid(1)).Row));
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
            ("le", _serializer.ToBinary(JournalChain.Empty(LedgerSamples.Device).Append(LedgerSamples.Count(LedgerSamples.Report(1, 1), LedgerSamples.Now)).Row)),
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
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.Exclusion = new Form.ExclusionTerms { BanGrowth = 0 }, "ban_growth");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.Exclusion = new Form.ExclusionTerms { Ban = -1, BanGrowth = 2 }, "ban");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.Exclusion = new Form.ExclusionTerms { ReturnScore = 1.5, BanGrowth = 2 }, "return_score");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.Exclusion = new Form.ExclusionTerms { FaultyPasses = -1, BanGrowth = 2 }, "faulty_passes");
        Refused("wc", Form.WorkCounted.Parser, form => form.Account.TokenReward = double.NaN, "token_reward");
        Refused("wc", Form.WorkCounted.Parser, form => form.Account.EscrowTokens = -1, "escrow_tokens");
        Refused("wc", Form.WorkCounted.Parser, form => form.Account.FinderShare = 2, "finder_share");
        Refused("wc", Form.WorkCounted.Parser, form => form.Account.Vesting = -1, "vesting");
        Refused("rs", Form.ReputationState.Parser, form => form.Account.Credit = -1, "credit");
        Refused("rs", Form.ReputationState.Parser, form => form.Account.Escrow = double.NaN, "escrow");
        Refused("rs", Form.ReputationState.Parser, form => form.Account.Unvested.Add(new Form.LyingCredit { Until = -1 }), "until");
        Refused("rs", Form.ReputationState.Parser, form => form.Account.Unvested.Add(Enumerable.Repeat(new Form.LyingCredit(), AccountRules.MostEarnings + 1)), "unvested");
        Refused("rs", Form.ReputationState.Parser, form => (form.Account, form.Credit) = (null, new Form.CreditVault { Vested = -1 }), "vested");
        Refused("rs", Form.ReputationState.Parser, form => (form.Account, form.Credit) = (null, new Form.CreditVault { Lying = { Enumerable.Repeat(new Form.LyingCredit(), 49) } }), "lying");
        Refused("rs", Form.ReputationState.Parser, form => form.Segments[0].Earned[0].Amount = 0, "amount");
        Refused("rs", Form.ReputationState.Parser, form => form.Segments[0].Earned[0].Terms = null, "terms");
        Refused("rs", Form.ReputationState.Parser, form => form.Segments[0].Passed.Add(new Form.PassedRun { Role = 1 }), "checks");
        Refused("rs", Form.ReputationState.Parser, form => form.Segments[0].Returned = new Form.DeviceReturned { Role = 1 }, "segments");
        Refused("rs", Form.ReputationState.Parser, form => form.Segments.Insert(0, new Form.HistorySegment()), "segments");
        Refused("rs", Form.ReputationState.Parser, form => form.Segments[0].Failed = new Form.FailedCheck { Role = 1, Outcome = 1 }, "outcome");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.HalfLife = -1, "half_life");
        Refused("wc", Form.WorkCounted.Parser, form => Check(form).Terms.FailureWeight = -1, "failure_weight");
        Refused("rs", Form.ReputationState.Parser, form => form.Preference = new Form.RoutingPreference { Failed = -1 }, "failed");
        Refused("rs", Form.ReputationState.Parser, form => form.Struck.Add(1UL << 41), "verdict");
        Refused("rs", Form.ReputationState.Parser, form => form.Owed.Add(new Form.FinderReward()), "number");
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
