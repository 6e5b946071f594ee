using System.Collections.Immutable;
using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>A device: holds the ranges that the plans assign to it, one <see cref="LayerShard"/> each, and announces what it has.</summary>
internal sealed partial class LayerHost : ReceiveActor, IWithTimers
{
    /// <summary>Its name under <c>/user</c>.</summary>
    public const string ActorName = "layers";

    private const int MostJobs = 4 * ProtocolLimits.AnnouncedRanges;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly DeviceSettings _settings;
    private readonly Address _node;
    private readonly Action<DeviceAnnouncement> _announce;
    private readonly ShardWorker _worker;
    private readonly ShardWorker _loader;
    private readonly CacheBudget _budget;
    private readonly long _weightMemory;
    private readonly Dictionary<(ModelId Model, LayerRange Range), Entry> _entries = [];
    private readonly HashSet<(ModelId Model, LayerRange Range, long Version)> _given = [];
    private readonly RangeFetches? _fetches;
    private ModelLibrary? _library;
    private ClusterView _view;
    private double _bytesPerSecond;
    private long _revision;
    private ImmutableArray<LinkSample> _links = [];

    /// <summary>A device that holds nothing yet.</summary>
    /// <param name="settings">What it starts with.</param>
    /// <param name="node">Its node's address.</param>
    /// <param name="announce">Publishes an announcement.</param>
    public LayerHost(DeviceSettings settings, Address node, Action<DeviceAnnouncement> announce)
    {
        (_settings, _node, _announce) = (settings, node, announce);
        var limits = settings.Limits;
        _worker = new ShardWorker(limits.Threads, MostJobs, failed: e => _log.Error(e, "The compute thread met an unexpected error."));
        _loader = new ShardWorker(1, MostJobs, "efedllm loader", e => _log.Error(e, "The loading thread met an unexpected error."));
        _budget = settings.Cache ?? new CacheBudget((long)(limits.DeviceMemoryBytes * limits.CacheShare), limits.PrefixShare);
        _weightMemory = limits.DeviceMemoryBytes - _budget.Total;
        _view = ClusterView.Empty(node);
        if (settings.Blobs is { } blobs)
        {
            _fetches = RangeFetches.Of(blobs, Self);
            ReceiveFiles(blobs.Fetcher);
        }

        Receive<ClusterView>(view =>
        {
            NoteStanding(_view, view);
            _view = view;
            settings.Blobs?.Fetcher.Follow(BlobPeer.Of(view, settings.DeviceId, settings.Blobs.Tls));
            Follow();
            GoOnLeaving();
        });
        Receive<DeviceReady>(Ready);
        Receive<RangeLoaded>(Serve);
        Receive<FileDamaged>(message => FetchAgain((message.Model, message.Range), message.Error));
        Receive<RangeNotLoaded>(message =>
        {
            if (message.Error is OperationCanceledException)
            {
                // The plan may have come back to it meanwhile.
                _given.RemoveWhere(given => (given.Model, given.Range) == (message.Model, message.Range));
            }
            else
            {
                _log.Error(message.Error, "Loading {0} of model {1} failed; it is tried again with the next plan.", message.Range, message.Model.Short);
            }

            _entries.Remove((message.Model, message.Range));
            EndFetch((message.Model, message.Range));
            Follow();
        });
        Receive<ShardDrained>(message => End(message.Shard));
        Receive<GraceOver>(message =>
        {
            if (_entries.TryGetValue((message.Model, message.Range), out var entry) && entry is { State: HoldingState.Draining, Shard: { } shard })
            {
                _log.Warning("Sessions on {0} of model {1} had {2} to finish and are ended.", message.Range, message.Model.Short, settings.DrainGrace);
                End(shard);
            }
        });
        Receive<Terminated>(message => End(message.ActorRef));
        Receive<RangeReleased>(message =>
        {
            _entries.Remove((message.Model, message.Range));
            Follow();
        });
        ReceiveLeaving();
        ReceiveGolden();
        Receive<LinksMeasured>(message =>
        {
            _links = message.Links;
            Announce();
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(_ => Directive.Stop);

    /// <inheritdoc/>
    protected override void PreStart()
    {
        var (self, settings, log, worker, speed) = (Self, _settings, _log, _worker, _settings.Limits.DeviceBytesPerSecond);
        if (settings.Saboteur is { } saboteur)
        {
            log.Warning("This device is a saboteur and does wrong on purpose: {0}.", saboteur.Name);
        }

        Context.ActorOf(Props.Create(() => new LinkProbe(settings.DeviceId, settings.View, self, settings.Time, LinkProbe.Interval)), LinkProbe.ActorName);
        // On the thread that says it is ready: while the folders are opened.
        string? problem = null;
        worker.TryEnqueue(new ComputeJob(team => problem = Problem(settings.IsSound, team)));
        _loader.TryEnqueue(new ComputeJob(_ =>
        {
            var library = ModelLibrary.Open(settings, log);
            worker.TryEnqueue(new ComputeJob(team => self.Tell(new DeviceReady(library, problem is null && speed <= 0 ? Measure(team, log) : speed, problem), ActorRefs.NoSender)));
        }));
    }

    /// <inheritdoc/>
    protected override void PostStop()
    {
        // The models go last: behind everything that computes or loads from them.
        _fetches?.Dispose();
        var (loader, library) = (_loader, _library);
        _worker.End(() => loader.End(() => library?.Dispose()));
    }

    /// <summary>Why the device must not serve; null where nothing speaks against it.</summary>
    private static string? Problem(Func<Transformer.Kernels.ComputeTeam, bool> isSound, Transformer.Kernels.ComputeTeam team)
    {
        try
        {
            return isSound(team)
                ? null
                : "This machine computes wrongly: its golden vectors are not those of sound machines, so that every check would find it lying. Its memory or processor may be broken or too hot, or its version of .NET does not do the arithmetic that this program needs. \"efedllm doctor\" tries again.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"This device cannot show that it computes rightly, as it cannot write temporary files: {e.Message}";
        }
    }

    private static double Measure(Transformer.Kernels.ComputeTeam team, ILoggingAdapter log)
    {
        try
        {
            return SpeedProbe.Measure(team);
        }
        catch (Exception e)
        {
            log.Error(e, "The device's speed cannot be measured.");
            return 0;
        }
    }

    /// <summary>Tells whoever runs this device why it gets no work, or works again.</summary>
    private void NoteStanding(ClusterView before, ClusterView now)
    {
        _settings.Saboteur?.Behavior.Heard(now.Standings.TryGetValue(_settings.DeviceId, out var standing) ? standing.Score : 0);
        var (was, isNow) = (before.IsExcluded(_settings.DeviceId), now.IsExcluded(_settings.DeviceId));
        if (isNow && !was)
        {
            _log.Error(
                "This device is excluded from the cluster and gets no work: checks found that it computes wrong results. \"efedllm ledger show {0}\" says which.",
                _settings.DeviceId.Short);
        }
        else if (was && !isNow)
        {
            _log.Info("This device is not excluded any more.");
        }
    }

    private void Ready(DeviceReady message)
    {
        _library = message.Library;
        if (message.Problem is { } problem)
        {
            _log.Error("{0}", problem);
            CoordinatedShutdown.Get(Context.System).Run(new CannotRunReason(problem));
            return;
        }

        _bytesPerSecond = message.BytesPerSecond;
        _log.Info("Device {0} has {1} models and reads {2:F1} GB/s of weights.", _settings.DeviceId.Short, _library.Count, _bytesPerSecond / 1e9);
        _settings.View.Tell(new SubscribeView(Self));
        Announce();
        Follow();
    }

    private void Follow()
    {
        if (_isLeaving || _library is null)
        {
            return;
        }

        var wanted = new List<(WantedRange Range, long Version)>();
        foreach (var plan in _view.Plans)
        {
            if (plan.Assignments.FirstOrDefault(assignment => assignment.Device == _settings.DeviceId) is not { } assignment)
            {
                continue;
            }

            if (_library.Find(plan.Model) is not { } source)
            {
                _fetches?.Manifest(plan.Model);
            }
            else if (assignment.Range.IsValid(source.Shape.Layers))
            {
                var bytes = Bytes(source, assignment.Range);
                wanted.Add((new WantedRange(plan.Model, assignment.Range, assignment.MemoryBytes > 0 ? Math.Min(assignment.MemoryBytes, bytes) : bytes), plan.Version));
            }
        }

        var versions = wanted.ToDictionary(want => (want.Range.Model, want.Range.Range), want => want.Version);
        _given.RemoveWhere(given => !versions.TryGetValue((given.Model, given.Range), out var version) || version != given.Version);
        _fetches?.KeepOnly(versions.ContainsKey);
        var holdings = _entries.Select(entry => new Holding(entry.Key.Model, entry.Key.Range, entry.Value.Bytes, entry.Value.State)).ToArray();
        var actions = HoldingPlanner.Decide(
            holdings, [.. wanted.Select(want => want.Range)], _view.Plans.Select(plan => plan.Model).ToHashSet(), _weightMemory, IsNeeded);
        foreach (var action in actions)
        {
            var key = (action.Model, action.Range);
            switch (action.Step)
            {
                // Once for each plan: what was refused or failed once is so until the plan changes.
                case HoldingStep.Load when _given.Add((action.Model, action.Range, versions[key])):
                    Load(key, action.Bytes);
                    break;
                case HoldingStep.Refuse when _given.Add((action.Model, action.Range, versions[key])):
                    _log.Error("Plan {0} assigns {1} of model {2} to this device: {3}. Give it more memory (efedllm.device.memory).", versions[key], action.Range, action.Model.Short, action.Reason);
                    break;
                case HoldingStep.Drain:
                    Drain(key);
                    break;
                case HoldingStep.Resume:
                    Resume(key);
                    break;
                default:
                    break;
            }
        }
    }

    private void Serve(RangeLoaded message)
    {
        var key = (message.Model, message.Shard.Range);
        var (self, limits, entry) = (Self, _settings.Limits, _entries[key]);
        var parts = new LayerShardParts(
            key.Model,
            message.Shard,
            _worker,
            _budget,
            limits.DeviceMaxSessions,
            limits.BatchRows,
            limits.IdleSession,
            _settings.Time,
            () => self.Tell(new RangeReleased(key.Model, key.Range), ActorRefs.NoSender),
            _settings.Key,
            _settings.Saboteur,
            NodeIdentity.ClusterOf(Context.System),
            limits.SendDelay);
        entry.Shard = Context.Watch(Context.ActorOf(Props.Create(() => new LayerShard(parts))));
        entry.State = HoldingState.Serving;
        (entry.WeightBytes, entry.StreamedBytes) = (message.Shard.WeightBytes, message.Shard.StreamedBytes);
        _log.Info("Serving {0} of model {1}.", key.Range.Describe(message.Shard.Shape.Layers), key.Model.Short);
        if (entry.StreamedBytes > 0)
        {
            _log.Info("{0} of its {1} bytes of weights are read from disk for every step.", entry.StreamedBytes, entry.WeightBytes);
        }

        if (_isLeaving)
        {
            Drain(key);
        }

        Announce();
        Follow();
    }

    private void Drain((ModelId Model, LayerRange Range) key)
    {
        var entry = _entries[key];
        entry.State = HoldingState.Draining;
        entry.Shard!.Tell(DrainShard.Instance);
        Timers.StartSingleTimer(key, new GraceOver(key.Model, key.Range), _settings.DrainGrace);
        Announce();
    }

    private void Resume((ModelId Model, LayerRange Range) key)
    {
        var entry = _entries[key];
        entry.State = HoldingState.Serving;
        entry.Shard!.Tell(ResumeShard.Instance);
        Timers.Cancel(key);
        Announce();
    }

    private void End(IActorRef shard)
    {
        foreach (var (key, entry) in _entries)
        {
            // A shard that was resumed meanwhile is not drained any more; one that ended by itself has failed.
            if (shard.Equals(entry.Shard) && (entry.State == HoldingState.Draining || (entry.State == HoldingState.Serving && IsDead(shard))))
            {
                if (entry.State == HoldingState.Serving)
                {
                    // The plan still wants it: it is loaded again when its memory is free.
                    _given.RemoveWhere(given => (given.Model, given.Range) == key);
                }

                entry.State = HoldingState.Ending;
                Timers.Cancel(key);
                Context.Stop(shard);
                Announce();
                break;
            }
        }

        SayLeft();
    }

    private static bool IsDead(IActorRef shard) => Context.Child(shard.Path.Name).IsNobody();

    private bool IsNeeded(Holding holding)
    {
        if (_view.Models.FirstOrDefault(model => model.Model == holding.Model) is not { } model)
        {
            return false;
        }

        // What a device that leaves still serves is no cover, unless there is no other.
        var leaving = _view.Devices.Where(device => device.Leaving).Select(device => device.Device).ToHashSet();
        var (with, without) = (With(Announcement(_ => true)), With(Announcement(key => key != (holding.Model, holding.Range))));
        return IsNeeded([]) || (leaving.Count > 0 && IsNeeded(leaving));

        bool IsNeeded(HashSet<DeviceId> avoid) => RoutePlanner.Plan(with, model, avoid).Route is not null && RoutePlanner.Plan(without, model, avoid).Route is null;
    }

    private ClusterView With(DeviceAnnouncement own) => _view with
    {
        Devices = [.. _view.Devices.Where(device => device.Device != own.Device), own],
    };

    private void Announce()
    {
        _revision = Math.Max(_revision + 1, _settings.Time.GetUtcNow().UtcTicks);
        _announce(Announcement(_ => true) with { Links = _links });
    }

    private DeviceAnnouncement Announcement(Func<(ModelId Model, LayerRange Range), bool> includes) => new(
        _settings.DeviceId,
        _settings.Name,
        _node,
        Self,
        _settings.Limits.DeviceMemoryBytes,
        _bytesPerSecond,
        _library?.Complete ?? [],
        [.. _entries.Where(entry => entry.Value.State == HoldingState.Serving && includes(entry.Key))
            .Select(entry => new LoadedRange(entry.Key.Model, entry.Key.Range, entry.Value.Shard!, entry.Value.WeightBytes, entry.Value.StreamedBytes))
            .OrderBy(range => range.Model.Value, StringComparer.Ordinal).ThenBy(range => range.Range.First).ThenBy(range => range.Range.End)],
        _isLeaving,
        _revision,
        _settings.Blobs is { } blobs ? new BlobOffer(blobs.Port, _library?.Held ?? [], _fetches!.Progress) : null)
    {
        PublicKey = _settings.Key?.PublicKey ?? default,
        Owner = _settings.Owner,
        Certificate = _settings.Certificate,
    };

    private static long Bytes(IModelSource source, LayerRange range)
    {
        var bytes = 0L;
        for (var unit = range.First; unit < range.End; unit++)
        {
            bytes += source.UnitBytes(unit);
        }

        return bytes;
    }

    private sealed class Entry(long bytes)
    {
        public long Bytes { get; } = bytes;

        public HoldingState State { get; set; } = HoldingState.Loading;

        public IActorRef? Shard { get; set; }

        public long WeightBytes { get; set; }

        public long StreamedBytes { get; set; }

        public int Damages { get; set; }
    }
}
