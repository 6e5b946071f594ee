using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;

namespace EFedLLM.Actors.Layers;

/// <summary>One session on one shard: what it waits for, what it has, what it sends.</summary>
internal sealed class ShardSession
{
    private readonly Queue<int> _owed = new();

    /// <summary>A session that was just opened.</summary>
    /// <param name="open">How.</param>
    /// <param name="cacheBytes">Memory reserved for its cache and what waits for it.</param>
    /// <param name="now">The time, as <see cref="LastActive"/> counts it.</param>
    public ShardSession(OpenSession open, long cacheBytes, TimeSpan now) => (Open, CacheBytes, LastActive) = (open, cacheBytes, now);

    /// <summary>The message that opened it, of the current epoch.</summary>
    public OpenSession Open { get; private set; }

    /// <summary>Cache memory reserved for it, in bytes.</summary>
    public long CacheBytes { get; }

    /// <summary>Its keys and values; null only where nothing computes.</summary>
    public KvCache? Cache { get; set; }

    /// <summary>Whether it is computed in one step, when all of its positions are there: an encoder sees every position from every other one.</summary>
    public bool IsWhole => Open.Output != SequenceOutput.None;

    /// <summary>Whether the head says of this session's prompt how likely it was.</summary>
    public bool IsScored => !Open.Scored.IsDefaultOrEmpty;

    /// <summary>The only position it accepts: what the cache holds once everything accepted is computed.</summary>
    public int NextPosition { get; set; }

    /// <summary>Positions of the batch that computes now.</summary>
    public int ComputingRows { get; set; }

    /// <summary>Steps that wait.</summary>
    public StepQueue Steps { get; } = new();

    /// <summary>What goes to the next hop.</summary>
    public SendWindow Window { get; } = new(ProtocolLimits.HiddenCredit);

    /// <summary>Whether a batch with a step of it computes now.</summary>
    public bool IsComputing => ComputingRows > 0;

    /// <summary>Whether it was closed; its memory may be in use until its batch is done.</summary>
    public bool IsClosed { get; set; }

    /// <summary>Whether it stands in the line for the next batch.</summary>
    public bool IsInLine { get; set; }

    /// <summary>When it was last heard of.</summary>
    public TimeSpan LastActive { get; set; }

    /// <summary>The epoch of its route.</summary>
    public int Epoch => Open.Epoch;

    /// <summary>Whether the next batch may have a step of it. What it computed goes out before it computes more, so that a slow next hop holds it back.</summary>
    public bool CanCompute => !IsComputing && !IsClosed && Steps.Rows >= (IsWhole ? Open.TokenLimit : 1) && Window.IsEmpty;

    /// <summary>The actor of the next hop, or null at the end of the route.</summary>
    public IActorRef? Next => Open.HopIndex + 1 < Open.Route.Hops.Length ? Open.Route.Hops[Open.HopIndex + 1].Shard : null;

    /// <summary>The actor of the hop before, or null at the beginning of the route.</summary>
    public IActorRef? Previous => Open.HopIndex > 0 ? Open.Route.Hops[Open.HopIndex - 1].Shard : null;

    /// <summary>Messages taken whose credit is held back because too much waits here.</summary>
    public int Owed => _owed.Count;

    /// <summary>Appends an accepted step.</summary>
    public void Accept(StepPiece piece)
    {
        Steps.Add(piece);
        NextPosition += piece.Rows;
        if (piece.Tokens.IsEmpty)
        {
            _owed.Enqueue(piece.Position);
        }
    }

    /// <summary>The position of the next message to give credit for, or null while too much waits. What has to wait until it is whole has its memory reserved.</summary>
    public int? NextCredit() => (IsWhole || Steps.Bytes <= SessionTable.BytesAhead) && _owed.TryDequeue(out var position) ? position : null;

    /// <summary>Follows a repaired route: what was computed stays, what waited in or for the old route is void.</summary>
    public void Reopen(OpenSession open)
    {
        Open = open;
        NextPosition -= Steps.Rows;
        Steps.Clear();
        Window.Clear();
        _owed.Clear();
    }
}
