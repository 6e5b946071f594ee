using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>
/// Twelve devices, four for each third of a model, and more of the middle third where there are to be more; and sessions one after the other:
/// real shards and kernels, and between the sessions the ledger's own rules, which fold every report that a pipeline makes into the standing
/// with which the next session begins.
/// </summary>
internal sealed class AttackedFleet : IDisposable
{
    /// <summary>Devices where there are no more.</summary>
    public const int Devices = 12;

    /// <summary>Devices that hold the same third.</summary>
    public const int PerHop = 4;

    private static readonly LayerRange[] Ranges = [new(0, 3), new(3, 5), new(5, 7)];

    // A prompt of 20 and these are four whole units.
    private const int WholeUnits = 45;

    // After so many checks that passed a device is liked about as much as one can be.
    private const int MostLiked = 64;

    private static readonly ImmutableArray<int> Prompt = [1, 403, 407, 261, 378, 432, 10, 77, 300, 12, 45, 9, 260, 5, 17, 80, 81, 82, 83, 84];

    private readonly IModelSource _source = ModelFolder.Open(SharedModels.Model("stories260K"));
    private readonly ModelTokenizer _tokenizer;
    private readonly ServedModel _model;
    private readonly Saboteur?[] _saboteurs;
    private readonly DeviceId[] _ids;
    private readonly int[] _keys;
    private readonly NodeLimits _limits;
    private readonly GenerationSettings _settings;
    private readonly Dictionary<DeviceId, ReputationState> _ledger = [];
    private readonly Dictionary<DeviceId, DeviceStanding?> _told = [];
    private Dictionary<DeviceId, DeviceStanding?> _beyond = [];
    private HashSet<int> _served = [];
    private readonly Dictionary<(LayerRange, Saboteur?), TransformerShard> _shards = [];
    private readonly List<RecordWork> _waiting = [];
    private readonly Func<int, long> _passed;
    private readonly TrustSettings _trust;
    private readonly Guid _reporter = Guid.NewGuid();
    private readonly Guid _reporterBeyond = Guid.NewGuid();
    private readonly int _seed;
    private DateTimeOffset _time = DateTimeOffset.UnixEpoch.AddYears(56);
    private long _reports;
    private long _reportsBeyond;

    /// <param name="saboteurs">What is wrong with each device.</param>
    /// <param name="seed">Of everything random.</param>
    /// <param name="trust">The rules; the defaults when null.</param>
    /// <param name="passed">Positions of each device that were checked before and found right.</param>
    public AttackedFleet(IReadOnlyList<string?> saboteurs, int seed, TrustSettings? trust = null, long passed = 0)
        : this([.. saboteurs.Select((text, number) => text is null ? null : Saboteur.Parse(text, seed + number))], seed, trust, _ => passed)
    {
    }

    /// <param name="saboteurs">What is wrong with each device.</param>
    /// <param name="seed">Of everything else that is random.</param>
    /// <param name="trust">The rules; the defaults when null.</param>
    /// <param name="passed">Positions of a device, by its number, that were checked before and found right; none when null.</param>
    /// <param name="isEven">Whether sessions are four whole units, of one position a step, as where the rules are simulated; else the prompt goes in chunks, and the last unit is not full.</param>
    public AttackedFleet(IReadOnlyList<Saboteur?> saboteurs, int seed, TrustSettings? trust = null, Func<int, long>? passed = null, bool isEven = false)
    {
        (_seed, _trust, _saboteurs, _passed) = (seed, trust ?? new TrustSettings(), [.. saboteurs], passed ?? (_ => 0));
        (_ids, _keys) = (new DeviceId[_saboteurs.Length], [.. Enumerable.Range(0, _saboteurs.Length)]);
        _limits = TestLimits.Reference with { PromptChunk = isEven ? 1 : 7 };
        _settings = new() { MaxTokens = isEven ? WholeUnits : 40, IgnoreEndTokens = true, Sampling = new SamplingSettings { Temperature = 0.8f, Seed = 11 } };
        _tokenizer = ModelTokenizer.Load(_source.Folder);
        _model = Facts.Model('a', "tiny", _source.Shape.Layers) with { Model = TestSessions.Model, HiddenSize = _source.Shape.HiddenSize };
        using var team = new ComputeTeam(1);
        using var generator = new LocalGenerator(_source, team);
        Honest = [.. generator.Generate(Prompt.AsMemory(), _settings, _tokenizer).OfType<GeneratedToken>().Select(token => token.Choice.Id)];
    }

    /// <summary>What an honest fleet answers.</summary>
    public int[] Honest { get; }

    /// <summary>Positions of a session.</summary>
    public int Positions => Prompt.Length + Honest.Length - 1;

    /// <summary>Sessions until now.</summary>
    public int Sessions { get; private set; }

    /// <summary>Whether a device served in the last session, if only at first.</summary>
    public bool HasServed(int number) => _served.Contains(number);

    /// <summary>Answers that were not the honest one.</summary>
    public int WrongAnswers { get; private set; }

    /// <summary>What a pipeline hears instead of what a device sends it, by the device's number; null for what it sends.</summary>
    public Func<int, ISessionMessage, IEnumerable<ISessionMessage>>? Tampers { get; set; }

    /// <summary>What the ledger knows of a device, by its number.</summary>
    public ReputationState this[int number] => _ledger[_ids[number]];

    /// <summary>How far a device is trusted as a server.</summary>
    public TrustTier Tier(int number) => StandingRules.Tier(this[number].Server, _trust);

    /// <summary>A device comes back under another key. The ledger knows nothing of it.</summary>
    /// <param name="number">The device.</param>
    /// <param name="key">The number of the key; that of another device for the same one.</param>
    public void TakeKey(int number, int key) => _keys[number] = key;

    /// <summary>The network falls apart, and one of the sides has no ledger: gateways there know what they knew, and their reports wait.</summary>
    public void Cut() => _beyond = new(_told);

    /// <summary>The ledger answers everybody again, and gets what waits, all of it twice: whoever reports cannot know what arrived.</summary>
    public void Heal()
    {
        Count(_waiting);
        Count(_waiting);
        _waiting.Clear();
    }

    /// <summary>Runs a session to its end, and lets the ledger hear of it.</summary>
    /// <param name="through">The device that the route begins with, if it may.</param>
    /// <param name="isStrict">Whether the answer is to be verified.</param>
    /// <param name="gateway">The gateway's node; always the same one when null.</param>
    /// <param name="isBeyond">Whether it is on the side of <see cref="Cut"/> that has no ledger, and for so long that it is missed.</param>
    /// <returns>The session, and the positions that <paramref name="through"/> gave in it until it was found out.</returns>
    public (AuditedSession Session, int Delivered) Run(int? through = null, bool isStrict = false, Address? gateway = null, bool isBeyond = false)
    {
        Sessions++;
        using var session = new AuditedSession(
            _source, _model, [.. _saboteurs.Select((saboteur, number) => (Ranges[number < Devices ? number / PerHop : 1], saboteur))], Prompt, _settings, _limits,
            new AnswerText(_tokenizer, _settings, _source.Shape.EndTokens), (_seed * 10_007) + Sessions, isStrict, standing: (number, device) => Standing(number, device, isBeyond), trust: _trust, through: through,
            around: new SessionSurroundings { Gateway = gateway, Keys = number => _keys[number], IsLedgerAway = isBeyond, Tampers = Tampers, Shards = Shard });
        session.Run();
        Assert.Equal(0, session.Left);
        WrongAnswers += session.Tokens.SequenceEqual(Honest) ? 0 : 1;
        _served = [.. session.Devices.Index().Where(device => session.Served.Contains(device.Item.Ref)).Select(device => device.Index)];
        _time += TimeSpan.FromMinutes(1);
        var reports = session.Checks.Select(check => new WorkReport(check.Device, session.Session, _model.Model, check.Range, WorkOutcome.Checked, check.Tokens, check.Facts)).Concat(session.Works).Select(report => Record(report, isBeyond)).ToArray();
        if (isBeyond)
        {
            _waiting.AddRange(reports);
        }
        else
        {
            Count(reports);
        }

        return (session, through is { } liar ? Delivered(session, _ids[liar]) : 0);
    }

    /// <summary>Runs sessions through a device until the ledger excludes it.</summary>
    /// <param name="liar">Its number.</param>
    /// <param name="mostSessions">Fails after so many.</param>
    /// <param name="isTold">Whether something wrong may be told.</param>
    /// <returns>Positions that it gave until then.</returns>
    public int RunUntilExcluded(int liar, int mostSessions, bool isTold = false)
    {
        for (var delivered = 0; ;)
        {
            var (session, more) = Run(liar);
            delivered += more;
            Assert.IsType<GenerationFinished>(session.Told[^1]);
            if (!isTold)
            {
                Assert.Equal(Honest, session.Tokens);
            }

            if (Tier(liar) == TrustTier.Excluded)
            {
                return delivered;
            }

            Assert.True(Sessions < mostSessions, $"After {Sessions} sessions its score is {this[liar].Server.Score}.");
        }
    }

    /// <summary>What is wrong with one device of twelve; with the others nothing.</summary>
    public static string?[] Only(int liar, string behaviour) => [.. Enumerable.Range(0, Devices).Select(number => number == liar ? behaviour : null)];

    /// <summary>The same of a behaviour without a name.</summary>
    public static Saboteur?[] Only(int liar, IHopBehavior behavior) => [.. Enumerable.Range(0, Devices).Select(number => number == liar ? new Saboteur("special", behavior) : null)];

    /// <summary>Nothing speaks in any role against whoever is none of these.</summary>
    public void OthersAreUntouched(params int[] liars)
    {
        for (var number = 0; number < _ids.Length; number++)
        {
            var state = this[number];
            Assert.True(
                liars.Contains(number) || (state.Server is { Hard: 0, Soft: 0 } && state.Verifier is { Hard: 0, Soft: 0 } && state.Failures == 0),
                $"Device {number}: {state.Server}, {state.Verifier}, {state.Failures} failures.");
        }
    }

    public void Dispose()
    {
        foreach (var shard in _shards.Values)
        {
            shard.Dispose();
        }

        _source.Dispose();
    }

    /// <summary>Loaded once: sessions come one after the other, and so do the batches of a session.</summary>
    private TransformerShard Shard(LayerRange range, Saboteur? saboteur)
    {
        var weights = WarpedSource.Of(_source, saboteur);
        var key = (range, ReferenceEquals(weights, _source) ? null : saboteur);
        if (!_shards.TryGetValue(key, out var shard))
        {
            _shards.Add(key, shard = TransformerShard.Load(weights, range));
        }

        return shard;
    }

    private DeviceStanding? Standing(int number, DeviceId device, bool isBeyond)
    {
        _ids[number] = device;
        if (!_ledger.TryGetValue(device, out var state))
        {
            // Whoever comes back under another key is a newcomer.
            var passed = _keys[number] == number ? _passed(number) : 0;
            state = ReputationState.Empty(device) with
            {
                History = new History(Conduct.New with { Server = RoleStanding.New with { PassedTokens = passed } }, [], HistorySegment.Empty),
                Preference = Enumerable.Range(0, (int)Math.Min(MostLiked, passed / UnitCut.Rows)).Aggregate(RoutingPreference.New, (preference, _) => preference.After(CheckOutcome.Passed, _time, _trust)),
            };
            _ledger.Add(device, state);
        }

        var said = state.ToStanding(_trust, AuditedSession.Self);
        _told[device] = said is { Revision: 0 } ? said with { Revision = 1 } : said;
        var standing = (isBeyond ? _beyond : _told).GetValueOrDefault(device);
        _saboteurs[number]?.Behavior.Heard(standing?.Score ?? 0);
        return standing;
    }

    /// <summary>Each side's gateway counts its own reports.</summary>
    private RecordWork Record(WorkReport report, bool isBeyond)
    {
        Assert.Null(WorkRules.Problem(report.Device, report.Range, report.Outcome, report.Tokens, report.Check));
        return new RecordWork(
            isBeyond ? new ReportId(_reporterBeyond, ++_reportsBeyond) : new ReportId(_reporter, ++_reports), report.Device, report.Session, report.Model, report.Range, report.Outcome, report.Tokens, _time, report.Check);
    }

    private void Count(IEnumerable<RecordWork> reports)
    {
        foreach (var report in reports)
        {
            var state = _ledger[report.Device];
            _ledger[report.Device] = state.Apply(WorkRules.Count(report, _time, _trust, state.History.Now));
        }
    }

    /// <summary>Up to the end of the unit that speaks against it; all where none does.</summary>
    private static int Delivered(AuditedSession session, DeviceId device)
        => session.Checks.FirstOrDefault(check => check.Device == device && check.Facts is { Role: TrustRole.Server, Outcome: not CheckOutcome.Passed }) is { } found
            ? found.Facts.Position + found.Tokens
            : session.Signed.GetValueOrDefault(device);
}
