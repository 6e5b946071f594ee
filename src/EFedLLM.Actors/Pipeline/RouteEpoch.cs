using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>A route of one session, and what its hops said of themselves.</summary>
internal sealed class RouteEpoch
{
    private readonly bool[] _hasAnswered;
    private readonly HopStock[] _stocks;
    private int _silent;

    /// <summary>A route of which nobody has been asked yet.</summary>
    /// <param name="route">The route.</param>
    /// <param name="epoch">Its epoch.</param>
    public RouteEpoch(Route route, int epoch)
    {
        (Route, Epoch, _silent) = (route, epoch, route.Hops.Length);
        _hasAnswered = new bool[Count];
        _stocks = new HopStock[Count];
        Microseconds = new long[Count];
    }

    /// <summary>The route.</summary>
    public Route Route { get; }

    /// <summary>Its epoch.</summary>
    public int Epoch { get; }

    /// <summary>Number of hops.</summary>
    public int Count => Route.Hops.Length;

    /// <summary>Compute time of each hop in this epoch.</summary>
    public long[] Microseconds { get; }

    /// <summary>Whether every hop has answered.</summary>
    public bool IsComplete => _silent == 0;

    /// <summary>What each hop has, where it has answered.</summary>
    public ReadOnlySpan<HopStock> Stocks => _stocks;

    /// <summary>Whether a hop has answered since it was asked.</summary>
    public bool HasAnswered(int hop) => _hasAnswered[hop];

    /// <summary>A hop answers. False when it had answered already.</summary>
    public bool Answer(int hop, HopStock stock)
    {
        if (_hasAnswered[hop])
        {
            return false;
        }

        (_hasAnswered[hop], _stocks[hop]) = (true, stock);
        _silent--;
        return true;
    }

    /// <summary>Forgets who has answered, before all are asked again.</summary>
    public void Forget()
    {
        Array.Clear(_hasAnswered);
        _silent = Count;
    }

    /// <summary>Whether it is the hop at this place that speaks.</summary>
    public bool Is(int hop, IActorRef shard) => hop >= 0 && hop < Count && Route.Hops[hop].Shard.Equals(shard);

    /// <summary>Whether the head speaks.</summary>
    public bool IsHead(IActorRef shard) => Route.Hops[^1].Shard.Equals(shard);

    /// <summary>The place of a shard in the route, or -1.</summary>
    public int IndexOf(IActorRef shard)
    {
        for (var hop = 0; hop < Count; hop++)
        {
            if (Route.Hops[hop].Shard.Equals(shard))
            {
                return hop;
            }
        }

        return -1;
    }
}
