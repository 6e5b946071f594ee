using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>What a node goes by until the ledger has counted it.</summary>
public sealed class OwnConvictionsTests
{
    private static readonly DeviceId Other = new(new string('e', 32));

    private long _position;

    [Fact]
    public void Failures_lead_to_what_the_ledger_would_say_of_them()
    {
        var convictions = new OwnConvictions(LedgerSamples.Trust);
        Assert.True(convictions.IsEmpty);
        Assert.False(Hold(convictions, LedgerSamples.Check(1, 1, CheckOutcome.Soft)));
        Assert.False(Hold(convictions, LedgerSamples.Check(1, 2, CheckOutcome.Passed)));
        Assert.False(Hold(convictions, LedgerSamples.Report(1, 3)));
        Assert.True(convictions.IsEmpty);

        Assert.True(Hold(convictions, LedgerSamples.Check(1, 4, CheckOutcome.Hard)));
        Assert.Equal(new HeldStanding(TrustTier.Quarantined, TrustTier.Probation, 6.908), At(convictions, LedgerSamples.Now));
        Hold(convictions, LedgerSamples.Check(1, 5, CheckOutcome.Hard));
        Assert.Equal(TrustTier.Quarantined, At(convictions, LedgerSamples.Now).Server);
        Hold(convictions, LedgerSamples.Check(1, 6, CheckOutcome.Hard, TrustRole.Verifier));
        Assert.Equal((TrustTier.Quarantined, TrustTier.Quarantined), (At(convictions, LedgerSamples.Now).Server, At(convictions, LedgerSamples.Now).Verifier));
        Hold(convictions, LedgerSamples.Check(1, 7, CheckOutcome.Hard));
        Assert.Equal((TrustTier.Excluded, TrustTier.Quarantined), (At(convictions, LedgerSamples.Now).Server, At(convictions, LedgerSamples.Now).Verifier));
        Assert.Single(convictions.Standings(LedgerSamples.Now));
    }

    [Fact]
    public void They_hold_until_the_ledger_has_them_or_a_ban_would_be_over()
    {
        var convictions = new OwnConvictions(LedgerSamples.Trust);
        Hold(convictions, LedgerSamples.Check(1, 1, CheckOutcome.Hard));
        Hold(convictions, LedgerSamples.Check(1, 1, CheckOutcome.Hard) with { Device = Other, At = LedgerSamples.Now.AddDays(1) });
        Assert.Equal(2, convictions.Standings(LedgerSamples.Now.AddDays(29)).Count);
        Assert.Equal([Other], convictions.Standings(LedgerSamples.Now.AddDays(30)).Keys);
        Assert.Empty(convictions.Standings(LedgerSamples.Now.AddDays(31)));
        Assert.False(convictions.Release(7));
        Assert.True(convictions.Release(2));
        Assert.False(convictions.Release(2));
        Assert.Equal([LedgerSamples.Device], convictions.Standings(LedgerSamples.Now).Keys);
    }

    [Fact]
    public void An_outbox_that_is_full_of_work_has_room_for_failures_and_not_for_ever_more()
    {
        var outbox = new Outbox(new OutboxLimits(2, 1000));
        Assert.True(outbox.HasRoom(LedgerSamples.Device, 1));
        Add(outbox, LedgerSamples.Report(1, 1));
        Assert.False(outbox.HasRoom(LedgerSamples.Device, 1));
        for (var i = 0; i < OutboxLimits.DeviceConvictions; i++)
        {
            Assert.True(outbox.HasRoomForConviction(LedgerSamples.Device));
            Add(outbox, LedgerSamples.Check(1, 2 + i, CheckOutcome.Hard));
        }

        Assert.False(outbox.HasRoomForConviction(LedgerSamples.Device));
        Assert.True(outbox.HasRoom(Other, 1));
        var others = 0;
        for (; outbox.HasRoomForConviction(Another(others)); others++)
        {
            Add(outbox, LedgerSamples.Check(1, 1, CheckOutcome.Hard) with { Device = Another(others) });
        }

        Assert.Equal(OutboxLimits.Convictions - OutboxLimits.DeviceConvictions, others);

        // What was delivered makes room again.
        outbox.SetOut(Another(0), TimeSpan.FromSeconds(1));
        outbox.Acknowledge(new WorkRecorded(LedgerSamples.Check(1, 1, CheckOutcome.Hard).Id, Another(0)));
        Assert.True(outbox.HasRoomForConviction(Another(0)));
        Assert.True(outbox.HasRoom(Other, 1));

        static DeviceId Another(int number) => new($"{number:x32}");
    }

    private static HeldStanding At(OwnConvictions convictions, DateTimeOffset now) => convictions.Standings(now)[LedgerSamples.Device];

    private bool Hold(OwnConvictions convictions, RecordWork report) => convictions.Hold(new OutboxEntry(++_position, report, []));

    private void Add(Outbox outbox, RecordWork report)
    {
        outbox.Add(new OutboxEntry(++_position, report, OutboxForm.Write(report)));
        outbox.MaySend(_position);
    }
}
