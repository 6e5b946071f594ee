using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;

namespace EFedLLM.Actors.Tests.Reputation;

public sealed class OutboxTests
{
    private static readonly DeviceId Other = new(new string('e', 32));
    private static readonly TimeSpan First = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Last = TimeSpan.FromSeconds(30);

    private long _position;

    [Fact]
    public void One_report_of_a_device_is_under_way_at_a_time()
    {
        var outbox = Filled(Report(1), Report(2));
        Assert.Equal(1, outbox.SetOut(LedgerSamples.Device, First)!.Report.Id.Sequence);
        Assert.Null(outbox.SetOut(LedgerSamples.Device, First));
        Assert.Null(outbox.SetOut(Other, First));
        Assert.Equal(2, outbox.Count);

        Assert.Null(outbox.Acknowledge(new WorkRecorded(Report(2).Id, LedgerSamples.Device)));
        Assert.Null(outbox.Acknowledge(new WorkRecorded(Report(1).Id, Other)));
        Assert.Equal(1, outbox.Acknowledge(new WorkRecorded(Report(1).Id, LedgerSamples.Device))!.Value.Entry.Position);
        Assert.Null(outbox.Acknowledge(new WorkRecorded(Report(1).Id, LedgerSamples.Device)));
        Assert.Equal(2, outbox.SetOut(LedgerSamples.Device, First)!.Report.Id.Sequence);
        Assert.NotNull(outbox.Acknowledge(new WorkRecorded(Report(2).Id, LedgerSamples.Device)));
        Assert.Equal((0, 0L, 0), (outbox.Count, outbox.Bytes, outbox.Devices.Count));
    }

    [Fact]
    public void What_is_not_on_disk_yet_is_not_sent()
    {
        var outbox = Filled(Report(1));
        outbox.Add(new OutboxEntry(2, Report(2), [1]));
        outbox.Add(new OutboxEntry(3, Report(1) with { Device = Other }, [1]));
        Assert.Null(outbox.SetOut(Other, First));
        Assert.NotNull(outbox.SetOut(LedgerSamples.Device, First));
        Assert.NotNull(outbox.Acknowledge(new WorkRecorded(Report(1).Id, LedgerSamples.Device)));
        Assert.Null(outbox.SetOut(LedgerSamples.Device, First));
        outbox.MaySend(2);
        Assert.Equal(2, outbox.SetOut(LedgerSamples.Device, First)!.Position);
        Assert.Null(outbox.SetOut(Other, First));
        outbox.MaySend(3);
        outbox.MaySend(2);
        Assert.NotNull(outbox.SetOut(Other, First));
    }

    [Fact]
    public void A_repeated_report_waits_twice_as_long_each_time_until_the_ledger_is_back()
    {
        var outbox = Filled(Report(1), Report(1) with { Device = Other });
        Assert.Null(outbox.Repeat(LedgerSamples.Device, Last));
        outbox.SetOut(LedgerSamples.Device, First);
        outbox.SetOut(Other, First);
        Assert.Equal([2, 4, 8, 16, 30, 30], Enumerable.Range(0, 6).Select(_ => outbox.Repeat(LedgerSamples.Device, Last)!.Value.Delay.TotalSeconds));

        // Only those that were repeated are sent at once; they begin with the first pause again.
        Assert.Equal([LedgerSamples.Device], outbox.Hasten(First));
        Assert.Equal(First, outbox.Repeat(LedgerSamples.Device, Last)!.Value.Delay);
        Assert.Empty(outbox.Hasten(First));
    }

    [Fact]
    public void It_holds_so_many_reports_so_many_bytes_and_half_of_them_for_one_device()
    {
        var outbox = new Outbox(new OutboxLimits(4, 1 << 20));
        Add(outbox, Report(1));
        Add(outbox, Report(2));
        Assert.False(outbox.HasRoom(LedgerSamples.Device, 1));
        Assert.True(outbox.HasRoom(Other, 1));
        Add(outbox, Report(1) with { Device = Other });
        Add(outbox, Report(2) with { Device = Other });
        Assert.False(outbox.HasRoom(new DeviceId(new string('f', 32)), 1));

        var small = new Outbox(new OutboxLimits(100, 300));
        Add(small, Report(1));
        Assert.True(small.HasRoom(Other, (int)(300 - small.Bytes)));
        Assert.False(small.HasRoom(Other, (int)(301 - small.Bytes)));
    }

    [Fact]
    public void Whatever_happens_each_report_leaves_once_in_the_order_of_its_device_and_the_sums_are_right()
        => Gen.Int[0, 3].Array[0, 200].Sample(
            steps =>
            {
                var outbox = new Outbox(new OutboxLimits(20, 4096));
                DeviceId[] devices = [LedgerSamples.Device, Other];
                var (sequences, acknowledged) = (new long[2], new List<long>[] { [], [] });
                var added = 0;
                foreach (var (step, at) in steps.Select((step, at) => (step, at % 2)))
                {
                    var device = devices[at];
                    switch (step)
                    {
                        case 0 or 1 when outbox.HasRoom(device, 200):
                            Add(outbox, Report(++sequences[at]) with { Device = device });
                            added++;
                            break;
                        case 2:
                            outbox.SetOut(device, First);
                            break;
                        case 3 when outbox.Acknowledge(new WorkRecorded(Report(acknowledged[at].Count + 1).Id, device)) is { } done:
                            acknowledged[at].Add(done.Entry.Report.Id.Sequence);
                            break;
                    }

                    Assert.InRange(outbox.Count, 0, 20);
                    Assert.InRange(outbox.Bytes, 0, 4096);
                }

                Assert.Equal(added - acknowledged.Sum(list => list.Count), outbox.Count);
                Assert.Equal(outbox.Count == 0, outbox.Bytes == 0);
                Assert.All(acknowledged, list => Assert.Equal(Enumerable.Range(1, list.Count).Select(i => (long)i), list));
            },
            iter: 500,
            threads: 1);

    private static RecordWork Report(long sequence) => LedgerSamples.Report(1, sequence);

    private Outbox Filled(params RecordWork[] reports)
    {
        var outbox = new Outbox(new OutboxLimits(100, 1 << 20));
        foreach (var report in reports)
        {
            Add(outbox, report);
        }

        return outbox;
    }

    private void Add(Outbox outbox, RecordWork report)
    {
        outbox.Add(new OutboxEntry(++_position, report, OutboxForm.Write(report)));
        outbox.MaySend(_position);
    }
}
