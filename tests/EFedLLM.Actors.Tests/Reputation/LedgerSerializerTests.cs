using Akka.Actor;
using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Protocol.Wire;
using Xunit.Abstractions;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Tests.Reputation;

public sealed class LedgerSerializerTests(WireFixture fixture, ITestOutputHelper output) : IClassFixture<WireFixture>
{
    private readonly LedgerSerializer _serializer = new((ExtendedActorSystem)fixture.System);

    [Fact]
    public void Every_entry_comes_back_as_it_was()
        => LedgerSamples.Reports.Sample(
            report =>
            {
                var entry = WorkRules.Count(report, LedgerSamples.Now);
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
                Assert.Equal(state.ToRecord(), back.ToRecord());
                Assert.Equal(state.Reporters.OrderBy(reporter => reporter.Key), back.Reporters.OrderBy(reporter => reporter.Key));
                Assert.Equal(state.Entries, back.Entries);
            },
            iter: 100,
            threads: 1);

    [Fact]
    public void The_largest_state_fits_its_bound()
    {
        var largest = LedgerSamples.Fold(Enumerable.Range(0, 2 * ReputationState.MostReporters).Select(i => WorkRules.Count(
            LedgerSamples.Report(1, long.MaxValue, ProtocolLimits.SessionTokens, WorkOutcome.Failed) with { Id = new ReportId(Guid.NewGuid(), long.MaxValue) },
            LedgerSamples.Now)));
        Assert.IsType<ReputationState>(_serializer.FromBinary(_serializer.ToBinary(largest), "rs"));
    }

    [Fact]
    public void Names_on_disk_never_change()
    {
        Assert.Equal(2412, _serializer.Identifier);
        Assert.Equal("wc", _serializer.Manifest(WorkRules.Count(LedgerSamples.Report(1, 1), LedgerSamples.Now)));
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
            ("wc", _serializer.ToBinary(WorkRules.Count(LedgerSamples.Report(1, 1), LedgerSamples.Now))),
            ("rs", _serializer.ToBinary(LedgerSamples.Fold(Enumerable.Range(1, 9).Select(i => WorkRules.Count(LedgerSamples.Report(i, i), LedgerSamples.Now))))),
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
        Refused("wc", Form.WorkCounted.Parser, form => form.Penalty = -1, "penalty");
        Refused("rs", Form.ReputationState.Parser, form => form.Entries = -1, "entries");
        Refused("rs", Form.ReputationState.Parser, form => form.Reporters[0].Highest = 0, "highest");
        Refused("rs", Form.ReputationState.Parser, form => form.Reporters.Add(form.Reporters[0]), "twice");
        Refused("rs", Form.ReputationState.Parser, form => form.Recent.AddRange(Enumerable.Repeat(form.Recent[0], 50)), "recent");
        Refused("rs", Form.ReputationState.Parser, form => form.Reporters.AddRange(Enumerable.Repeat(form.Reporters[0], ReputationState.MostReporters)), "reporters");
    }

    private void Refused<TForm>(string manifest, Google.Protobuf.MessageParser<TForm> parser, Action<TForm> damage, string field)
        where TForm : Google.Protobuf.IMessage<TForm>
    {
        var entry = WorkRules.Count(LedgerSamples.Report(1, 1), LedgerSamples.Now);
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
