using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using Stage = EFedLLM.Actors.Tests.Layers.CheckedCluster.Stage;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>One checked session over real shards, some of which lie, on one thread. Each device serves one range; the judge is a shard more for each range, which never lies.</summary>
internal sealed class AuditedSession : IDisposable
{
    public static readonly DeviceId Gateway = new(new string('e', 32));

    /// <summary>The node that looks.</summary>
    public static readonly Address Self = new("akka.tcp", "test", "127.0.0.1", 1999);

    private readonly CheckedCluster _cluster;
    private readonly ServedModel _model;
    private readonly GenerationPlan _plan;
    private readonly GenerationState _state;
    private readonly bool _isLedgerAway;
    private readonly SessionSurroundings? _around;
    private readonly Stage? _liked;
    private readonly Dictionary<LayerRange, Stage> _judges = [];
    private readonly Dictionary<DeviceId, DeviceStanding> _standings = [];
    private readonly HashSet<Stage> _dead = [];
    private readonly List<(IActorRef From, UnitSigned Message)> _signed = [];
    private bool _isLost;
    private bool _hasForgotten;
    private int _checkMessages;
    private TimeSpan _now;

    /// <param name="source">The model.</param>
    /// <param name="model">What the cluster knows of it.</param>
    /// <param name="devices">A range and what is wrong with it, for each device. What is wrong stays the caller's, as it may remember.</param>
    /// <param name="prompt">The prompt.</param>
    /// <param name="settings">How to generate.</param>
    /// <param name="limits">The gateway's limits.</param>
    /// <param name="answer">The answer's text.</param>
    /// <param name="seed">Decides who checks.</param>
    /// <param name="isStrict">Whether the answer is to be verified.</param>
    /// <param name="canJudge">Whether the gateway has the model's files.</param>
    /// <param name="standing">How far devices are trusted, by their number; in probation when null.</param>
    /// <param name="trust">Rates and bounds; the defaults when null.</param>
    /// <param name="messageBytes">Most bytes of a message with more than one row.</param>
    /// <param name="through">A device that the first route goes through if it may, by its number; whoever comes first when null.</param>
    /// <param name="around">What else there is; nothing unusual when null.</param>
    public AuditedSession(
        IModelSource source, ServedModel model, IReadOnlyList<(LayerRange Range, Saboteur? Saboteur)> devices, ImmutableArray<int> prompt, GenerationSettings settings,
        NodeLimits limits, AnswerText answer, int seed, bool isStrict, bool canJudge = true, Func<int, DeviceId, DeviceStanding?>? standing = null, TrustSettings? trust = null,
        int messageBytes = ProtocolLimits.ActivationBytes, int? through = null, SessionSurroundings? around = null)
    {
        (_model, _isLedgerAway, _around) = (model, around?.IsLedgerAway == true, around);
        _cluster = new CheckedCluster(source)
        {
            Hears = Hear,
            MessageBytes = messageBytes,
            Pipeline = new NamedRef("pipeline", around?.Gateway),
            Shards = around?.Shards,
            Tampers = around?.Tampers is { } tampers ? (stage, message) => Devices.IndexOf(stage) is >= 0 and var number ? tampers(number, message) : [message] : null,
        };
        foreach (var (number, (range, saboteur)) in devices.Index())
        {
            var stage = _cluster.Add(range, saboteur: saboteur, key: around?.Keys is { } keys ? keys(number) : null);
            Devices.Add(stage);
            if (standing?.Invoke(number, stage.Device) is { } known)
            {
                _standings[stage.Device] = known;
            }
        }

        foreach (var range in canJudge ? devices.Select(device => device.Range).Distinct() : [])
        {
            _judges.Add(range, _cluster.Add(range));
        }

        // As if the others were busy.
        _liked = through is { } wanted ? Devices[wanted] : null;
        var (liked, view) = (_liked, View());
        var route = (RoutePlanner.Plan(view, model, [], hop => liked is null || hop.Range != liked.Range || hop.Shard.Equals(liked.Ref)).Route ?? RoutePlanner.Plan(view, model).Route)!;
        var nonces = new Random(seed);
        _plan = new GenerationPlan(
            PromptId.New(), NewSession(nonces), model, source.Shape.VocabularySize, route, prompt, settings, limits, default,
            Audit: new AuditPlan(trust ?? new TrustSettings(), Gateway, Nonce(nonces), Nonce(nonces), isStrict, canJudge, messageBytes),
            TellsSigned: true,
            Owner: around?.Owner);
        _state = new GenerationState(_plan, answer);
    }

    /// <summary>The devices, in the order in which they were named.</summary>
    public List<Stage> Devices { get; } = [];

    /// <summary>What whoever asked was told.</summary>
    public List<IEvent> Told { get; } = [];

    /// <summary>What the ledger would hear.</summary>
    public List<ReportCheck> Checks { get; } = [];

    /// <summary>What the gateway would keep to prove its verdicts, by its hash.</summary>
    public Dictionary<Digest, byte[]> Proofs { get; } = [];

    /// <summary>The same as it is reported.</summary>
    public List<WorkReport> Verdicts { get; } = [];

    /// <summary>What else the ledger would hear.</summary>
    public List<WorkReport> Works { get; } = [];

    /// <summary>Positions that each device computed, as it signed.</summary>
    public Dictionary<DeviceId, int> Signed { get; } = [];

    /// <summary>The secret number of whoever asked.</summary>
    public Digest Requester => _plan.Audit!.Requester;

    /// <summary>The session.</summary>
    public SessionId Session => _plan.Session;

    /// <summary>The tokens that whoever asked was told.</summary>
    public IEnumerable<int> Tokens => Told.OfType<TokenGenerated>().Select(token => token.Choice.Id);

    /// <summary>The devices that a session was ever opened on to serve.</summary>
    public HashSet<IActorRef> Served { get; } = [];

    /// <summary>Devices that have died.</summary>
    public int Dead => _dead.Count;

    /// <summary>Sessions that are left anywhere, in bytes.</summary>
    public long Left => Devices.Concat(_judges.Values).Sum(stage => stage.Budget.Reserved);

    /// <summary>The devices of which the ledger hears something bad.</summary>
    public HashSet<DeviceId> Accused(CheckOutcome outcome, TrustRole role = TrustRole.Server)
        => [.. Checks.Where(check => check.Facts.Outcome == outcome && check.Facts.Role == role).Select(check => check.Device)];

    /// <summary>Positions that somebody recomputed.</summary>
    public int Recomputed { get; private set; }

    /// <summary>Messages with keys and values that went to somebody who recomputes.</summary>
    public int Opened { get; private set; }

    /// <summary>When so many tokens were told, all devices of a range are trusted no more.</summary>
    public (int Tokens, LayerRange Range)? Loss { get; init; }

    /// <summary>A device dies when so many tokens were told.</summary>
    public (int Tokens, int Device)? Death { get; init; }

    /// <summary>When so many tokens were told, all who serve nothing forget the checks that they have nothing to do for.</summary>
    public int? Forgetting { get; init; }

    /// <summary>Whoever gets the message of a check with this number, counted from 1, dies before it arrives.</summary>
    public int? CheckDeath { get; init; }

    /// <summary>Whoever serves a hop dies when so many tokens were told.</summary>
    public (int Tokens, int Hop)? HopDeath { get; init; }

    /// <summary>Signs its first unit twice, and the second time something else: by its number.</summary>
    public int? Equivocator { get; init; }

    /// <summary>Every unit that was signed, and whether it was to be checked when it was.</summary>
    public IEnumerable<(Receipt Receipt, bool IsChosen)> Units()
    {
        foreach (var hop in _signed.GroupBy(each => (each.From, each.Message.Epoch)))
        {
            var (device, previous) = (Devices.Single(stage => stage.Ref.Equals(hop.Key.From)), _plan.Terms!.Hash);
            var rate = StandingRules.Rate(_standings.TryGetValue(device.Device, out var standing) ? standing.Server : TrustTier.Probation, _plan.Audit!.Settings);
            foreach (var (_, message) in hop)
            {
                var receipt = message.ReceiptOf(default, device.Device, _model.Model, device.Range, previous).Receipt;
                previous = receipt.Hash;
                yield return (receipt, _plan.Audit.Chooses(receipt.Hash, rate));
            }
        }
    }

    /// <summary>Runs the session to its end.</summary>
    public void Run()
    {
        Do(_state.Look(View(), _now));
        Do(_state.Start(_now));
        for (var turns = 0; ; turns++)
        {
            _cluster.Run();
            if (_state.Wake is not { } due)
            {
                return;
            }

            Assert.True(turns < 10_000, "It does not end.");
            _now = due > _now ? due : _now;
            Do(_state.DeadlinePassed(_now));
        }
    }

    public void Dispose() => _cluster.Dispose();

    private static Digest Nonce(Random random)
    {
        var bytes = new byte[Digest.Bytes];
        random.NextBytes(bytes);
        return Digest.Read(bytes);
    }

    private static SessionId NewSession(Random random)
    {
        var bytes = new byte[16];
        random.NextBytes(bytes);
        return new SessionId(new Guid(bytes));
    }

    private Stage? Dying()
    {
        var told = Tokens.Count();
        return Death is var (tokens, number) && told == tokens ? Devices[number]
            : HopDeath is var (count, hop) && told == count && _dead.Count == 0 ? Devices.Single(device => device.Ref.Equals(_state.Route.Hops[hop].Shard))
            : null;
    }

    private void Die(Stage device)
    {
        if (_dead.Add(device))
        {
            device.Core.PipelineGone(_cluster.Pipeline);
            _cluster.Later(() => Do(_state.HopGone(device.Ref, _now)));
            _cluster.Later(() => Do(_state.Look(View(), _now)));
        }
    }

    /// <summary>Whether a message arrives. One of a check may be the last that its receiver does not live to see.</summary>
    private bool IsAlive(IActorRef shard)
    {
        var device = Devices.FirstOrDefault(device => device.Ref.Equals(shard));
        if (device is not null && !_state.Route.Hops.Any(hop => hop.Shard.Equals(shard)) && ++_checkMessages == CheckDeath)
        {
            Die(device);
        }

        return device is null || !_dead.Contains(device);
    }

    private void Hear(ISessionMessage message, IActorRef from)
    {
        if (_dead.Any(dead => dead.Ref.Equals(from)))
        {
            return;
        }

        Recomputed += message is UnitRecomputed answer ? answer.Rows : 0;
        if (message is UnitSigned signed)
        {
            _signed.Add((from, signed));
            var device = Devices.Single(stage => stage.Ref.Equals(from)).Device;
            Signed[device] = Math.Max(Signed.GetValueOrDefault(device), signed.Position + signed.Rows);
        }

        Do(_state.Hear(message, from, _now));
        if (message is UnitSigned { Position: 0, Epoch: 1 } first && Equivocator is { } number && Devices[number].Ref.Equals(from))
        {
            var (liar, receipt) = (Devices[number], first.ReceiptOf(default, Devices[number].Device, _model.Model, Devices[number].Range, _plan.Terms!.Hash).Receipt);
            Do(_state.Hear(UnitSigned.Of(liar.Sign(receipt with { OutRoot = Digest.Of([1]) })), from, _now));
        }
    }

    private ClusterView View()
    {
        // Of two machines with one key the cluster sees one at a time.
        var there = Devices.Where(device => !_dead.Contains(device)).OrderBy(device => device == _liked ? 0 : 1).DistinctBy(device => device.Device).ToArray();
        return ClusterView.Empty(Self) with
        {
            Members = [.. there.Select(device => new NodeView(device.Ref.Path.Address, [], MemberStatus.Up, true, "1"))],
            Devices = [.. there.Select(device => new DeviceAnnouncement(
                device.Device, "", device.Ref.Path.Address, ActorRefs.Nobody, 1, 1, [], [new LoadedRange(_model.Model, device.Range, device.Ref, 1)], false, 1)
            {
                PublicKey = device.PublicKey,
                Owner = _around?.Owners?.Invoke(Devices.IndexOf(device)),
                Certificate = _around?.Shows?.Invoke(Devices.IndexOf(device)) == true ? new byte[1] : default,
            })],
            Standings = _standings.ToImmutableDictionary(),
            IsLedgerAway = _isLedgerAway,
        };
    }

    private void Do(IReadOnlyList<PipelineCommand> commands)
    {
        foreach (var command in commands.ToArray())
        {
            switch (command)
            {
                case OpenHop open:
                    Served.Add(open.Route.Hops[open.Hop].Shard);
                    _cluster.Tell(open.Route.Hops[open.Hop].Shard, _plan.Open(open, _cluster.Pipeline));
                    break;
                case ResumeRoute resume:
                    _cluster.Tell(_state.Route.Hops[0].Shard, resume.Message);
                    break;
                case FeedRoute feed:
                    _cluster.Tell(_state.Route.Hops[0].Shard, feed.Message);
                    break;
                case CloseHop close:
                    _cluster.Tell(close.Hop.Shard, new CloseSession(_plan.Session, close.Epoch));
                    break;
                case OpenCheck check when IsAlive(check.Run.Verifier.Shard):
                    _cluster.Tell(check.Run.Verifier.Shard, _plan.Open(check, _cluster.Pipeline));
                    break;
                case TellShard tell when IsAlive(tell.Shard):
                    Opened += tell.Message is FeedCache { Values.IsEmpty: false } ? 1 : 0;
                    _cluster.Tell(tell.Shard, tell.Message);
                    break;
                case LendJudge lend:
                    _cluster.Later(() => Do(_state.Judge(new JudgeLent(lend.Range, _judges[lend.Range].Ref, ""), _now)));
                    break;
                case KeepProof keep:
                    Proofs.Add(Digest.Of(keep.Bytes.Span), keep.Bytes.ToArray());
                    break;
                case ReportCheck check:
                    Checks.Add(check);
                    Verdicts.Add(_state.Checked(check));
                    break;
                case ReportWork work:
                    Works.Add(work.Report);
                    break;
                case TellClient tell:
                    Told.Add(tell.Event);
                    if (Dying() is { } dead)
                    {
                        Die(dead);
                    }

                    if (Tokens.Count() == Forgetting && !_hasForgotten)
                    {
                        _hasForgotten = true;
                        foreach (var idle in Devices.Concat(_judges.Values).Where(stage => !_state.Route.Hops.Any(hop => hop.Shard.Equals(stage.Ref))))
                        {
                            idle.Core.Forget(TimeSpan.Zero);
                        }
                    }

                    if (Loss is var (told, range) && Tokens.Count() == told && !_isLost)
                    {
                        _isLost = true;
                        foreach (var device in Devices.Where(device => device.Range == range))
                        {
                            _standings[device.Device] = _standings[device.Device] with { Server = TrustTier.Quarantined };
                        }

                        _cluster.Later(() => Do(_state.Look(View(), _now)));
                    }

                    break;
                default:
                    break;
            }
        }
    }
}
