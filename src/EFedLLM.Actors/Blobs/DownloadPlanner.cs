using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Blobs;

/// <summary>
/// Decides which piece is asked of which peer. Each piece goes to the peer that would have it soonest: what it gives already is counted,
/// and a peer that was never asked counts as quick as the quickest, so that each is tried. A peer with nothing to do takes over the oldest
/// piece of one that is several times slower.
/// </summary>
internal static class DownloadPlanner
{
    /// <summary>A transfer that takes so many times what an idle peer would need is given to that.</summary>
    private const double TooSlow = 3;

    /// <summary>Nobody is called slow sooner.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>What to do now. Asked again after each change.</summary>
    /// <param name="waiting">Pieces that nobody gives yet, the most wanted first. Read no further than needed.</param>
    /// <param name="underWay">What is on its way.</param>
    /// <param name="peers">Whom to ask.</param>
    /// <param name="gives">Whether a peer may be asked for a piece.</param>
    /// <param name="parallel">Most transfers at a time.</param>
    /// <param name="perPeer">Most transfers of one peer at a time.</param>
    /// <param name="now">The time.</param>
    public static DownloadPlan Decide(
        IEnumerable<Piece> waiting,
        IReadOnlyCollection<Transfer> underWay,
        IReadOnlyCollection<PeerRecord> peers,
        Func<DeviceId, Piece, bool> gives,
        int parallel,
        int perPeer,
        TimeSpan now)
    {
        var known = peers.Select(peer => peer.BytesPerSecond).DefaultIfEmpty(0).Max();
        var lines = peers.OrderBy(peer => peer.Device.Value, StringComparer.Ordinal).Select(peer => new Line(peer, known > 0 ? known : 1)).ToArray();
        foreach (var transfer in underWay)
        {
            if (lines.FirstOrDefault(line => line.Peer.Device == transfer.Peer) is { } line)
            {
                line.Load++;
            }
        }

        var start = ImmutableArray.CreateBuilder<(Piece, DeviceId)>();
        var idle = lines.Where(line => line.Load == 0 && line.Peer.NotBefore <= now).ToList();
        TimeSpan? wake = null;
        var places = parallel - underWay.Count;
        foreach (var piece in waiting)
        {
            if (places <= 0 || !lines.Any(line => line.Load < perPeer))
            {
                break;
            }

            var able = lines.Where(line => line.Load < perPeer && gives(line.Peer.Device, piece)).ToArray();
            if (able.Where(line => line.Peer.NotBefore <= now).MinBy(line => line.Seconds(piece)) is { } best)
            {
                start.Add((piece, best.Peer.Device));
                best.Load++;
                places--;
            }
            else if (able.Length > 0)
            {
                wake = Sooner(wake, able.Min(line => line.Peer.NotBefore));
            }
        }

        var abandon = ImmutableArray.CreateBuilder<Transfer>();
        foreach (var line in idle.Where(line => line.Load == 0 && line.Peer.BytesPerSecond > 0))
        {
            // Those that are being taken over already are none any more.
            var slow = underWay.Where(transfer => transfer.Peer != line.Peer.Device && !abandon.Contains(transfer) && gives(line.Peer.Device, transfer.Piece))
                .OrderBy(transfer => transfer.Since)
                .Select(transfer => (Transfer: transfer, Until: transfer.Since + Allowed(transfer.Piece, line.Peer.BytesPerSecond)))
                .ToArray();
            if (slow.FirstOrDefault(each => each.Until <= now) is { Until.Ticks: > 0 } first)
            {
                abandon.Add(first.Transfer);
            }
            else if (slow.Length > 0)
            {
                wake = Sooner(wake, slow.Min(each => each.Until));
            }
        }

        return new DownloadPlan(start.ToImmutable(), abandon.ToImmutable(), wake);
    }

    private static TimeSpan Allowed(Piece piece, double bytesPerSecond)
    {
        var seconds = Math.Min(TooSlow * piece.Length / bytesPerSecond, TimeSpan.FromDays(1).TotalSeconds);
        return TimeSpan.FromSeconds(Math.Max(seconds, Patience.TotalSeconds));
    }

    private static TimeSpan? Sooner(TimeSpan? one, TimeSpan other) => one is { } time && time <= other ? time : other;

    private sealed class Line(PeerRecord peer, double unknown)
    {
        public PeerRecord Peer { get; } = peer;

        public int Load { get; set; }

        /// <summary>When a piece would be there if it came behind what is on its way.</summary>
        public double Seconds(Piece piece) => (Load + 1.0) * piece.Length / (Peer.BytesPerSecond > 0 ? Peer.BytesPerSecond : unknown);
    }
}
