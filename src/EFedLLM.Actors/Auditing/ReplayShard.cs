using Akka.Actor;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// One loaded range without actors: what a device's shard does with a message, done on the caller's own thread before the call returns.
/// For recomputing what others signed; one session at a time. Not for an Akka dispatcher's threads: it computes.
/// </summary>
internal sealed class ReplayShard : IShardOutlet, IDisposable
{
    private const int BatchRows = 256;

    private readonly Queue<Action> _later = new();
    private readonly TransformerShard _shard;
    private readonly ComputeTeam _team;
    private readonly ShardCore _core;
    private readonly IActorRef _nobody = ActorRefs.Nobody;

    /// <summary>Loads a range.</summary>
    /// <param name="source">The model.</param>
    /// <param name="range">The units.</param>
    /// <param name="positions">Most positions of the session.</param>
    /// <param name="team">Computes.</param>
    /// <param name="key">Signs receipts; null where none are asked for.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is malformed.</exception>
    public ReplayShard(IModelSource source, LayerRange range, int positions, ComputeTeam team, DeviceKey? key = null)
    {
        _team = team;
        _shard = TransformerShard.Load(source, range);
        var budget = new CacheBudget(SessionTable.BytesFor(source.Shape, range, positions, key is not null));
        _core = new ShardCore(
            _shard,
            new SessionTable(source.Id, source.Shape, range, 1, budget, key),
            new ShardBatch(_shard, BatchRows, () => { }),
            ProtocolLimits.ActivationBytes,
            this);
    }

    /// <summary>What it told the pipeline and the hop before, in order.</summary>
    public List<ISessionMessage> Said { get; } = [];

    /// <summary>What it gave the next hop, in order.</summary>
    public List<FeedHidden> Given { get; } = [];

    /// <summary>Why the session cannot go on, for people; null while it can.</summary>
    public string? Problem { get; private set; }

    /// <inheritdoc/>
    TimeSpan IShardOutlet.Now => default;

    /// <summary>The whole of a model as a route with this range as one hop of it, all of them nobody's, and the hop's place in it.</summary>
    public static (Route Route, int Hop) RouteOf(IModelSource source, LayerRange range)
    {
        LayerRange[] parts = [new(0, range.First), range, new(range.End, source.Shape.Units)];
        return (new Route(source.Id, [.. parts.Where(part => part.Count > 0).Select(part => new Hop(default, part, ActorRefs.Nobody))]), range.First > 0 ? 1 : 0);
    }

    /// <summary>Opens the session, whose pipeline is <see cref="ActorRefs.Nobody"/>.</summary>
    public void Open(OpenSession message) => Do(() => _core.Open(message));

    /// <summary>Computes on from tokens.</summary>
    public void Feed(FeedTokens message) => Do(() => _core.Feed(message, _nobody));

    /// <summary>Computes on from activations.</summary>
    public void Feed(FeedHidden message) => Do(() => _core.Feed(message, _nobody));

    /// <summary>Signs, or answers about, what is in no full unit.</summary>
    public void Seal(SealReceipts message) => Do(() => _core.Seal(message, _nobody));

    /// <inheritdoc/>
    void IShardOutlet.Send(IActorRef receiver, object message)
    {
        switch (message)
        {
            case FeedHidden given:
                Given.Add(given);
                _later.Enqueue(() => _core.Credit(new HiddenReceived(given.Session, given.Epoch, given.Position), _nobody));
                break;
            case SessionRefused refused:
                Problem ??= refused.Message;
                break;
            case StepFailed failed:
                Problem ??= failed.Message;
                break;
            case StepRejected rejected:
                Problem ??= $"position {rejected.Position} does not follow {rejected.KvLength}.";
                break;
            case ISessionMessage said:
                Said.Add(said);
                break;
            default:
                break;
        }
    }

    /// <inheritdoc/>
    void IShardOutlet.Watch(IActorRef pipeline)
    {
    }

    /// <inheritdoc/>
    void IShardOutlet.Unwatch(IActorRef pipeline)
    {
    }

    /// <inheritdoc/>
    bool IShardOutlet.TryCompute(IComputeJob batch)
    {
        _later.Enqueue(() =>
        {
            batch.Run(_team);
            _core.BatchDone();
        });
        return true;
    }

    /// <inheritdoc/>
    void IShardOutlet.Warn(SessionFailure failure)
    {
    }

    /// <inheritdoc/>
    void IShardOutlet.Drained()
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var session in _core.Holding())
        {
            session.Cache?.Dispose();
        }

        _shard.Dispose();
    }

    private void Do(Action message)
    {
        message();
        while (_later.TryDequeue(out var next))
        {
            next();
        }
    }
}
