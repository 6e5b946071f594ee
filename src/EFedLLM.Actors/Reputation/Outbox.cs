using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// The reports that wait for the ledger, in the order of their arrival for each device, of which one at a time is under way. What is in it
/// is never thrown away for something newer: when it is full, a new report is refused. Hard failures have room of their own besides.
/// </summary>
/// <param name="limits">How much may wait.</param>
internal sealed class Outbox(OutboxLimits limits)
{
    private readonly Dictionary<DeviceId, Line> _lines = [];
    private long _sendable;

    private int _convictions; // that took room of their own
    private long _convictionBytes;

    /// <summary>Reports that wait.</summary>
    public int Count { get; private set; }

    /// <summary>Their bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>Devices that have reports waiting.</summary>
    public IReadOnlyCollection<DeviceId> Devices => _lines.Keys;

    /// <summary>Whether there is room for one more of a device.</summary>
    public bool HasRoom(DeviceId device, int bytes)
        => Count - _convictions < limits.Reports && Bytes - _convictionBytes + bytes <= limits.Bytes
        && (!_lines.TryGetValue(device, out var line) || line.Entries.Count - line.Convictions < Math.Max(1, limits.Reports / 2));

    /// <summary>Whether there is room for one more hard failure of a device.</summary>
    public bool HasRoomForConviction(DeviceId device)
        => _convictions < OutboxLimits.Convictions && (!_lines.TryGetValue(device, out var line) || line.Convictions < OutboxLimits.DeviceConvictions);

    /// <summary>Takes one that there is room for.</summary>
    public void Add(OutboxEntry entry)
    {
        if (!_lines.TryGetValue(entry.Report.Device, out var line))
        {
            _lines.Add(entry.Report.Device, line = new Line());
        }

        line.Entries.Enqueue(entry);
        Count++;
        Bytes += entry.Body.Length;
        CountConviction(line, entry, 1);
    }

    /// <summary>What has come up to a position may be sent.</summary>
    public void MaySend(long position) => _sendable = Math.Max(_sendable, position);

    /// <summary>The report of a device that is to be sent next, or null when one is under way, or none waits that may be sent. It is under way from now on.</summary>
    public OutboxEntry? SetOut(DeviceId device, TimeSpan delay)
    {
        if (!_lines.TryGetValue(device, out var line) || line.Delay is not null || line.Entries.Peek().Position > _sendable)
        {
            return null;
        }

        line.Delay = delay;
        return line.Entries.Peek();
    }

    /// <summary>The report of a device that is under way, to be sent again; and how long to wait after it, each time twice as long.</summary>
    public (OutboxEntry Entry, TimeSpan Delay)? Repeat(DeviceId device, TimeSpan longest)
    {
        if (!_lines.TryGetValue(device, out var line) || line.Delay is not { } delay)
        {
            return null;
        }

        var next = delay * 2 < longest ? delay * 2 : longest;
        line.Delay = next;
        return (line.Entries.Peek(), next);
    }

    /// <summary>The ledger has a report: takes it out.</summary>
    /// <returns>The entry and the time that it was last waited for; null when it was not under way.</returns>
    public (OutboxEntry Entry, TimeSpan Delay)? Acknowledge(WorkRecorded recorded)
    {
        if (!_lines.TryGetValue(recorded.Device, out var line) || line.Delay is not { } delay || line.Entries.Peek().Report.Id != recorded.Id)
        {
            return null;
        }

        var entry = line.Entries.Dequeue();
        line.Delay = null;
        Count--;
        Bytes -= entry.Body.Length;
        CountConviction(line, entry, -1);
        if (line.Entries.Count == 0)
        {
            _lines.Remove(recorded.Device);
        }

        return (entry, delay);
    }

    /// <summary>The devices whose report under way has been repeated: with a ledger that answers again they need not wait any longer. They begin with <paramref name="delay"/> again.</summary>
    public IReadOnlyList<DeviceId> Hasten(TimeSpan delay)
    {
        var waiting = _lines.Where(line => line.Value.Delay > delay).ToList();
        waiting.ForEach(line => line.Value.Delay = delay / 2);
        return [.. waiting.Select(line => line.Key)];
    }

    private void CountConviction(Line line, OutboxEntry entry, int one)
    {
        if (OwnConvictions.IsOne(entry.Report))
        {
            line.Convictions += one;
            _convictions += one;
            _convictionBytes += one * entry.Body.Length;
        }
    }

    private sealed class Line
    {
        public int Convictions { get; set; }

        public Queue<OutboxEntry> Entries { get; } = [];

        /// <summary>How long the first is waited for; null while it is not under way.</summary>
        public TimeSpan? Delay { get; set; }
    }
}
