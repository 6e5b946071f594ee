using CsCheck;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Protocol.Wire;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Reputation;

public sealed class ReportSigningTests(WireFixture fixture) : IClassFixture<WireFixture>
{
    private static readonly RecordWork Report = LedgerSamples.Check(1, 7, CheckOutcome.Hard) with { Size = new WorkSize(160, 10) };

    [Fact]
    public void A_report_is_its_reporters_word_also_when_it_has_travelled()
        => LedgerSamples.Reports.Sample(
            report =>
            {
                var signed = LedgerSamples.Sign(report);
                var there = (RecordWork)fixture.Serializer.FromBinary(fixture.Serializer.ToBinary(signed), fixture.Serializer.Manifest(signed));
                Assert.Equal(LedgerSamples.Key.Device, there.Signed!.Reporter);
                return ReportSigning.IsTrulySigned(signed, LedgerSamples.Cluster) && ReportSigning.IsTrulySigned(there, LedgerSamples.Cluster);
            },
            iter: 200,
            threads: 1);

    [Fact]
    public void Nothing_of_it_can_be_changed()
    {
        var (signed, check) = (LedgerSamples.Sign(Report), Report.Check!);
        RecordWork[] changed = [
            signed with { Id = new ReportId(LedgerSamples.Reporter(2), 7) },
            signed with { Id = new ReportId(LedgerSamples.Reporter(1), 8) },
            signed with { Device = LedgerSamples.Checker },
            signed with { Session = SessionId.New() },
            signed with { Model = new ModelId(new string('b', 64)) },
            signed with { Range = new LayerRange(0, 7) },
            signed with { Outcome = WorkOutcome.Served },
            signed with { Tokens = 15 },
            signed with { At = Report.At.AddTicks(1) },
            signed with { Size = null },
            signed with { Size = new WorkSize(161, 10) },
            signed with { Size = new WorkSize(160, 11) },
            signed with { Amount = 1 },
            signed with { Check = check with { Role = TrustRole.Verifier } },
            signed with { Check = check with { Outcome = CheckOutcome.Soft } },
            signed with { Check = check with { Position = 33 } },
            signed with { Check = check with { Verifier = default } },
            signed with { Check = check with { Expected = default } },
            signed with { Check = check with { Found = default } },
            signed with { Check = check with { Proof = Digest.Of([1]) } },
            signed with { Check = check with { Reason = "another" } },
            signed with { Check = null }];
        Assert.True(ReportSigning.IsTrulySigned(signed, LedgerSamples.Cluster));
        Assert.All(changed, report => Assert.False(ReportSigning.IsTrulySigned(report, LedgerSamples.Cluster), $"{report}"));
    }

    [Fact]
    public void Nobody_speaks_for_another_or_in_another_cluster()
    {
        using var other = DeviceKey.Create();
        var (signed, its) = (LedgerSamples.Sign(Report), LedgerSamples.Sign(Report, other));
        ReportSignature?[] forged = [
            null,
            new([], []),
            new(default, default),
            signed.Signed! with { Signature = its.Signed!.Signature },
            signed.Signed with { PublicKey = its.Signed.PublicKey },
            signed.Signed with { PublicKey = signed.Signed.PublicKey.RemoveAt(0) },
            signed.Signed with { Signature = signed.Signed.Signature.SetItem(0, (byte)~signed.Signed.Signature[0]) }];
        Assert.All(forged, word => Assert.False(ReportSigning.IsTrulySigned(Report with { Signed = word }, LedgerSamples.Cluster)));
        Assert.True(ReportSigning.IsTrulySigned(its, LedgerSamples.Cluster));
        Assert.Equal(other.Device, its.Signed!.Reporter);
        Assert.False(ReportSigning.IsTrulySigned(signed, ClusterId.WithoutTls("another")));
    }

    [Theory]
    [InlineData(WorkOutcome.Checked, true)]
    [InlineData(WorkOutcome.TimedOut, true)]
    [InlineData(WorkOutcome.Failed, true)]
    [InlineData(WorkOutcome.Corrupt, true)]
    [InlineData(WorkOutcome.Served, false)]
    [InlineData(WorkOutcome.Verified, false)]
    [InlineData(WorkOutcome.Found, false)]
    public void What_says_how_good_a_device_is_must_be_the_word_of_one_that_is_trusted(WorkOutcome outcome, bool judges) => Assert.Equal(judges, WorkRules.Judges(outcome));
}
