using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// The gateway's own judge for one model: lends shards that recompute where devices disagree, or where nobody else holds the layers. It
/// loads a range when it is first asked for it and gives it back when nobody needed it for a while. The same shards as a device's, on a
/// thread of its own.
/// </summary>
internal sealed class JudgeActor : ReceiveActor, IWithTimers
{
    private const int MostRanges = 16;

    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(2);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly ModelId _model;
    private readonly string _folder;
    private readonly NodeLimits _limits;
    private readonly TimeProvider _time;
    private readonly CacheBudget _budget;
    private readonly ShardWorker _worker;
    private readonly ShardWorker _loader;
    private readonly Dictionary<LayerRange, Lent> _lent = [];
    private readonly Dictionary<LayerRange, long> _claims = [];
    private IModelSource? _source;

    /// <summary>A judge that has loaded nothing.</summary>
    /// <param name="model">The model.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="limits">The gateway's limits.</param>
    /// <param name="time">The clock.</param>
    public JudgeActor(ModelId model, string folder, NodeLimits limits, TimeProvider time)
    {
        (_model, _folder, _limits, _time) = (model, folder, limits, time);
        _budget = new CacheBudget((long)(limits.DeviceMemoryBytes * limits.CacheShare));
        _worker = new ShardWorker(limits.Threads, 64, "efedllm judge", e => _log.Error(e, "The judge's thread met an unexpected error."));
        _loader = new ShardWorker(1, 64, "efedllm judge loader", e => _log.Error(e, "The judge's loader met an unexpected error."));
        Receive<LendJudge>(message => Lend(message.Range, Sender));
        Receive<Loaded>(Take);
        Receive<NotLoaded>(message =>
        {
            _log.Error(message.Error, "The judge cannot load {0} of model {1}.", message.Range, _model.Short);
            Answer(message.Range, null, message.Error.Message);
        });
        Receive<ForgetIdle>(_ => Forget());
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    private TimeSpan Now => _time.GetElapsedTime(0);

    /// <inheritdoc/>
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(_ => Directive.Stop);

    /// <inheritdoc/>
    protected override void PreStart() => Timers.StartPeriodicTimer(nameof(ForgetIdle), ForgetIdle.Instance, Idle / 4);

    /// <inheritdoc/>
    protected override void PostStop()
    {
        var loader = _loader;
        _worker.End(() => loader.End(() => Interlocked.Exchange(ref _source, null)?.Dispose()));
    }

    private void Lend(LayerRange range, IActorRef asker)
    {
        if (_lent.TryGetValue(range, out var lent) && lent.Shard is { } shard && !Context.Child(shard.Path.Name).IsNobody())
        {
            lent.Used = Now;
            asker.Tell(new JudgeLent(range, shard, ""));
            return;
        }

        if (lent is null || lent.Shard is not null)
        {
            if (_lent.Count >= MostRanges)
            {
                asker.Tell(new JudgeLent(range, null, $"it has {MostRanges} ranges loaded already."));
                return;
            }

            _lent[range] = lent = new Lent { Used = Now };
            Load(range);
        }

        lent.Askers.Add(asker);
    }

    private void Load(LayerRange range)
    {
        var self = Self;
        _loader.TryEnqueue(new ComputeJob(_ =>
        {
            try
            {
                _source ??= ModelFolder.Open(_folder);
                Claim(range, _source);
                if (_source is FactoredModel model)
                {
                    for (var unit = range.First; unit < range.End; unit++)
                    {
                        model.Verify(unit);
                    }
                }

                self.Tell(new Loaded(range, TransformerShard.Load(_source, range)), ActorRefs.NoSender);
            }
            catch (Exception e)
            {
                self.Tell(new NotLoaded(range, e), ActorRefs.NoSender);
            }
        }));
    }

    /// <summary>Takes the memory that a range's weights need; it is given back with the range.</summary>
    /// <exception cref="InvalidOperationException">There is not so much.</exception>
    private void Claim(LayerRange range, IModelSource source)
    {
        var bytes = Enumerable.Range(range.First, range.Count).Sum(source.UnitBytes);
        var most = _limits.DeviceMemoryBytes - _budget.Total;
        lock (_claims)
        {
            if (_claims.Values.Sum() + bytes > most)
            {
                throw new InvalidOperationException($"its weights of {bytes} bytes do not fit the {most} that efedllm.device.memory leaves it.");
            }

            _claims[range] = bytes;
        }
    }

    private void Release(LayerRange range)
    {
        lock (_claims)
        {
            _claims.Remove(range);
        }
    }

    private void Take(Loaded message)
    {
        var parts = new LayerShardParts(
            _model, message.Shard, _worker, _budget, _limits.DeviceMaxSessions, _limits.BatchRows, _limits.IdleSession, _time, () => Release(message.Range));
        Answer(message.Range, Context.ActorOf(Props.Create(() => new LayerShard(parts))), "");
    }

    private void Answer(LayerRange range, IActorRef? shard, string problem)
    {
        if (!_lent.TryGetValue(range, out var lent))
        {
            return;
        }

        (lent.Shard, lent.Used) = (shard, Now);
        foreach (var asker in lent.Askers)
        {
            asker.Tell(new JudgeLent(range, shard, problem));
        }

        lent.Askers.Clear();
        if (shard is null)
        {
            _lent.Remove(range);
            Release(range);
        }
    }

    private void Forget()
    {
        foreach (var (range, lent) in _lent.Where(each => each.Value.Shard is not null && Now - each.Value.Used > Idle).ToArray())
        {
            _lent.Remove(range);
            Context.Stop(lent.Shard!);
        }
    }

    private sealed class Lent
    {
        public IActorRef? Shard { get; set; }

        public TimeSpan Used { get; set; }

        public List<IActorRef> Askers { get; } = [];
    }

    private sealed record Loaded(LayerRange Range, TransformerShard Shard) : INoSerializationVerificationNeeded;

    private sealed record NotLoaded(LayerRange Range, Exception Error) : INoSerializationVerificationNeeded;
}
