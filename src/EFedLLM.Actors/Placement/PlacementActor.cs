using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using Akka.Event;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Publishes who is to hold what: one in the cluster. Follows the view, lets changes settle, plans away from the dispatcher, and writes
/// plans that differ into <see cref="FactKeys.Plans"/>. Goes on from the published plans when it starts on another node. Removes facts of
/// nodes that are gone.
/// </summary>
internal sealed class PlacementActor : ReceiveActor, IWithTimers
{
    // How long a start may wait for the plans that other nodes know; after it, what this node knows has to do.
    private static readonly TimeSpan ReadPatience = TimeSpan.FromSeconds(3);

    private readonly IActorRef _view;
    private readonly double _cacheShare;
    private readonly int _expectedDevices;
    private readonly PlacementTimings _timings;
    private readonly UniqueAddress _self = Cluster.Get(Context.System).SelfUniqueAddress;
    private readonly IActorRef _replicator = DistributedData.Get(Context.System).Replicator;
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly MissingNodes _missing;
    private readonly HashSet<Address> _everMembers = [];
    private readonly Dictionary<string, Address> _deviceEntries = new(StringComparer.Ordinal);
    private readonly HashSet<string> _modelEntries = new(StringComparer.Ordinal);
    private HashSet<Address> _strangers = [];
    private ImmutableDictionary<ModelId, PlacementPlan> _plans = ImmutableDictionary<ModelId, PlacementPlan>.Empty;
    private ClusterView? _latest;
    private bool _mayPlan;
    private bool _waiting;
    private bool _planning;
    private bool _again;

    /// <summary>With the node's view actor, the share of memory kept for caches, and the number of devices the first plan waits for.</summary>
    public PlacementActor(IActorRef view, double cacheShare, int expectedDevices, PlacementTimings timings)
    {
        (_view, _cacheShare, _expectedDevices, _timings) = (view, cacheShare, expectedDevices, timings);
        _missing = new MissingNodes(timings.Missing);
        Receive<GetSuccess>(success => Begin(success.Get(FactKeys.Plans)));
        Receive<NotFound>(_ => Begin([]));
        Receive<GetFailure>(_ => _replicator.Tell(Dsl.Get(FactKeys.Plans, ReadLocal.Instance)));
        Receive<ClusterView>(Follow);
        Receive<Changed>(change => change.Key.Equals(FactKeys.Devices), change => Note(change.Get(FactKeys.Devices)));
        Receive<Changed>(change => change.Key.Equals(FactKeys.Models), change => Note(change.Get(FactKeys.Models)));
        Receive<WaitedLongEnough>(_ =>
        {
            _mayPlan = true;
            PlanSoon();
        });
        Receive<Settled>(_ => Plan());
        Receive<Planned>(Publish);
        Receive<Status.Failure>(failure =>
        {
            _planning = false;
            _log.Error(failure.Cause, "The planner failed; the plans stay as they are until the next change.");
        });
        Receive<ForgetStrangers>(_ =>
        {
            // Whoever is a stranger for the second time will not become a member any more.
            var before = _strangers;
            _strangers = [.. _deviceEntries.Values, .. _modelEntries.Select(GatewayOf).OfType<Address>()];
            _strangers.ExceptWith(_everMembers);
            Prune(node => _everMembers.Contains(node) || before.Contains(node));
        });
        Receive<IUpdateResponse>(response =>
        {
            if (!response.IsSuccessful)
            {
                _log.Warning("Distributed data did not take {0}: {1}", response.Key, response);
            }
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart() => _replicator.Tell(Dsl.Get(FactKeys.Plans, new ReadMajority(ReadPatience)));

    private void Begin(IEnumerable<KeyValuePair<string, PlacementPlan>> published)
    {
        foreach (var (key, plan) in published)
        {
            if (key == plan.Model.Value)
            {
                _plans = _plans.SetItem(plan.Model, plan);
            }
        }

        // A cluster that has plans is no fresh one whose devices are just about to come.
        _mayPlan = _plans.Count > 0;
        _view.Tell(new SubscribeView(Self));
        _replicator.Tell(Dsl.Subscribe(FactKeys.Devices, Self));
        _replicator.Tell(Dsl.Subscribe(FactKeys.Models, Self));
        Timers.StartPeriodicTimer(ForgetStrangers.Instance, ForgetStrangers.Instance, _timings.Unknown);
    }

    private void Follow(ClusterView view)
    {
        _latest = view;
        _missing.Look(view, Now);
        var members = view.Members.Select(member => member.Address).ToHashSet();
        _everMembers.UnionWith(members);
        Prune(node => _everMembers.Contains(node));
        if (!_mayPlan && view.Devices.Length > 0)
        {
            _mayPlan = view.Devices.Length >= _expectedDevices;
            if (!_mayPlan && !_waiting)
            {
                _waiting = true;
                Timers.StartSingleTimer(WaitedLongEnough.Instance, WaitedLongEnough.Instance, _timings.FirstDevices);
            }
        }

        PlanSoon();
    }

    private void PlanSoon()
    {
        if (!_mayPlan || _latest is null)
        {
            return;
        }

        if (_planning)
        {
            _again = true;
        }
        else if (!Timers.IsTimerActive(Settled.Instance))
        {
            Timers.StartSingleTimer(Settled.Instance, Settled.Instance, _timings.Settle);
        }
    }

    private void Plan()
    {
        if (_planning)
        {
            _again = true;
            return;
        }

        (_planning, _again) = (true, false);
        var (view, plans) = (_missing.Without(_latest!, Now), _plans);
        if (_missing.Next(Now) is { } next)
        {
            Timers.StartSingleTimer(nameof(MissingNodes), Settled.Instance, next);
        }

        Task.Run(() => new Planned(PlacementRound.Run(view, _cacheShare, plans))).PipeTo(Self);
    }

    private void Publish(Planned planned)
    {
        _planning = false;
        var gone = _plans.Keys.Except(planned.Plans.Keys).ToArray();
        var changed = planned.Plans.Values.Where(plan => !ReferenceEquals(plan, _plans.GetValueOrDefault(plan.Model))).ToArray();
        _plans = planned.Plans;
        if (gone.Length + changed.Length > 0)
        {
            foreach (var plan in changed)
            {
                _log.Info("Plan {0} of model {1}: {2}", plan.Version, plan.Model, plan.Problem ?? $"{plan.Assignments.Length} ranges cover it");
            }

            var self = _self;
            _replicator.Tell(Dsl.Update(
                FactKeys.Plans,
                LWWDictionary<string, PlacementPlan>.Empty,
                WriteLocal.Instance,
                plans => changed.Aggregate(
                    gone.Aggregate(plans, (plans, model) => plans.Remove(self, model.Value)),
                    (plans, plan) => plans.SetItem(self, plan.Model.Value, plan))));
        }

        if (_again)
        {
            PlanSoon();
        }
    }

    private void Note(LWWDictionary<string, DeviceAnnouncement> devices)
    {
        _deviceEntries.Clear();
        foreach (var (key, device) in devices)
        {
            _deviceEntries[key] = device.Node;
        }
    }

    private void Note(LWWDictionary<string, ServedModel> models)
    {
        _modelEntries.Clear();
        _modelEntries.UnionWith(models.Keys);
    }

    /// <summary>Removes facts of nodes that are no members and for which <paramref name="given"/> holds.</summary>
    private void Prune(Func<Address, bool> given)
    {
        if (_latest is not { } view || view.Members.IsEmpty)
        {
            return;
        }

        var self = _self;
        var members = view.Members.Select(member => member.Address).ToHashSet();
        var devices = _deviceEntries.Where(entry => !members.Contains(entry.Value) && given(entry.Value)).ToArray();
        if (devices.Length > 0)
        {
            // A device that came back at another address in the meantime has a newer entry, which stays.
            _replicator.Tell(Dsl.Update(
                FactKeys.Devices,
                LWWDictionary<string, DeviceAnnouncement>.Empty,
                WriteLocal.Instance,
                facts => devices.Aggregate(facts, (facts, entry) => facts.TryGetValue(entry.Key, out var now) && now.Node.Equals(entry.Value) ? facts.Remove(self, entry.Key) : facts)));
        }

        var models = _modelEntries.Where(entry => GatewayOf(entry) is not { } gateway || (!members.Contains(gateway) && given(gateway))).ToArray();
        if (models.Length > 0)
        {
            _replicator.Tell(Dsl.Update(
                FactKeys.Models,
                LWWDictionary<string, ServedModel>.Empty,
                WriteLocal.Instance,
                facts => models.Aggregate(facts, (facts, entry) => facts.ContainsKey(entry) ? facts.Remove(self, entry) : facts)));
        }
    }

    private TimeSpan Now => Context.System.Scheduler.MonotonicClock;

    private static Address? GatewayOf(string entry)
        => entry.LastIndexOf(' ') is var space and > 0 && Address.TryParse(entry[..space], out var gateway) ? gateway : null;

    private sealed record Planned(ImmutableDictionary<ModelId, PlacementPlan> Plans);

    private sealed record Settled
    {
        public static Settled Instance { get; } = new();
    }

    private sealed record WaitedLongEnough
    {
        public static WaitedLongEnough Instance { get; } = new();
    }

    private sealed record ForgetStrangers
    {
        public static ForgetStrangers Instance { get; } = new();
    }
}
