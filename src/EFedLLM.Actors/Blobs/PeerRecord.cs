using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Blobs;

/// <summary>What was seen of a peer while fetching. Immutable: each method returns the record after one more thing was seen.</summary>
/// <param name="Device">The peer.</param>
/// <param name="BytesPerSecond">How fast one transfer of it is; 0 before the first.</param>
/// <param name="Failures">Failures since the last success.</param>
/// <param name="NotBefore">When it may be asked again.</param>
internal sealed record PeerRecord(DeviceId Device, double BytesPerSecond = 0, int Failures = 0, TimeSpan NotBefore = default)
{
    /// <summary>What a new measurement counts: a higher value follows a peer that changes sooner, and mistakes a hiccup for a change.</summary>
    private const double Weight = 0.3;

    private static readonly TimeSpan FirstBackOff = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LastBackOff = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan BusyBackOff = TimeSpan.FromMilliseconds(200);

    /// <summary>It gave a piece.</summary>
    public PeerRecord Gave(int bytes, TimeSpan time) => Measured(bytes, time) with { Failures = 0, NotBefore = default };

    /// <summary>It was taken off a piece for being slow.</summary>
    public PeerRecord Dawdled(long bytes, TimeSpan time) => Measured(bytes, time);

    /// <summary>It failed; the next time it fails it is left alone for twice as long.</summary>
    public PeerRecord Failed(TimeSpan now)
    {
        var delay = FirstBackOff * Math.Pow(2, Math.Min(Failures, 20));
        return this with { Failures = Failures + 1, NotBefore = now + (delay < LastBackOff ? delay : LastBackOff) };
    }

    /// <summary>It has too much to do.</summary>
    public PeerRecord Busy(TimeSpan now) => this with { NotBefore = now + BusyBackOff };

    private PeerRecord Measured(long bytes, TimeSpan time)
    {
        var rate = Math.Max(bytes, 1) / Math.Max(time.TotalSeconds, 1e-6);
        return this with { BytesPerSecond = BytesPerSecond > 0 ? BytesPerSecond + (rate - BytesPerSecond) * Weight : rate };
    }
}
