using System.Collections.Immutable;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>
/// Twelve devices, four for each third of a model, and sessions one after the other: real shards and kernels, and between the sessions the
/// ledger's own rules, which fold every report that a pipeline makes into the standing with which the next session begins.
/// </summary>
internal sealed class AttackedFleet : IDisposable
{
    /// <summary>Devices.</summary>
    public const int Devices = 12;

    /// <summary>Devices that hold the same third.</summary>
    public const int PerHop = 4;

    private static readonly LayerRange[] Ranges = [new(0, 3), new(3, 5), new(5, 7)];

    private static readonly NodeLimits Limits = TestLimits.Reference with { PromptChunk = 7 };

    private static readonly GenerationSettings Settings = new() { MaxTokens = 40, IgnoreEndTokens = true, Sampling = new SamplingSettings { Temperature = 0.8f, Seed = 11 } };

    private static readonly ImmutableArray<int> Prompt = [1, 403, 407, 261, 378, 432, 10, 77, 300, 12, 45, 9, 260, 5, 17, 80, 81, 82, 83, 84];

    private readonly IModelSource _source = ModelFolder.Open(SharedModels.Model("stories260K"));
    private readonly ModelTokenizer _tokenizer;
    private readonly ServedModel _model;
    private readonly Saboteur?[] _saboteurs;
    private readonly DeviceId[] _ids = new DeviceId[Devices];
    private readonly Dictionary<DeviceId, ReputationState> _ledger = [];
    private readonly TrustSettings _trust;
    private readonly Guid _reporter = Guid.NewGuid();
    private readonly int _seed;
    private DateTimeOffset _time = DateTimeOffset.UnixEpoch.AddYears(56);
    private long _reports;

    /// <param name="saboteurs">What is wrong with each device.</param>
    /// <param name="seed">Of everything random.</param>
    /// <param name="trust">The rules; the defaults when null.</param>
    /// <param name="passed">Positions of each device that were checked before and found right.</param>
    public AttackedFleet(IReadOnlyList<string?> saboteurs, int seed, TrustSettings? trust = null, long passed = 0)
    {
        (_seed, _trust) = (seed, trust ?? new TrustSettings());
        _tokenizer = ModelTokenizer.Load(_source.Folder);
        _saboteurs = [.. saboteurs.Select((text, number) => text is null ? null : Saboteur.Parse(text, seed + number))];
        _model = Facts.Model('a', "tiny", _source.Shape.Layers) with { Model = TestSessions.Model, HiddenSize = _source.Shape.HiddenSize };
        Passed = passed;
        using var team = new ComputeTeam(1);
        using var generator = new LocalGenerator(_source, team);
        Honest = [.. generator.Generate(Prompt.AsMemory(), Settings, _tokenizer).OfType<GeneratedToken>().Select(token => token.Choice.Id)];
    }

    /// <summary>What an honest fleet answers.</summary>
    public int[] Honest { get; }

    /// <summary>Positions of a session.</summary>
    public int Positions => Prompt.Length + Honest.Length - 1;

    /// <summary>Sessions until now.</summary>
    public int Sessions { get; private set; }

    /// <summary>Answers that were not the honest one.</summary>
    public int WrongAnswers { get; private set; }

    /// <summary>The standing that devices begin with.</summary>
    private long Passed { get; }

    /// <summary>What the ledger knows of a device, by its number.</summary>
    public ReputationState this[int number] => _ledger[_ids[number]];

    /// <summary>How far a device is trusted as a server.</summary>
    public TrustTier Tier(int number) => StandingRules.Tier(this[number].Server, _trust);

    /// <summary>Runs a session to its end, and lets the ledger hear of it.</summary>
    /// <param name="through">The device that the route begins with, if it may.</param>
    /// <param name="isStrict">Whether the answer is to be verified.</param>
    /// <returns>The session, and the positions that <paramref name="through"/> gave in it until it was found out.</returns>
    public (AuditedSession Session, int Delivered) Run(int? through = null, bool isStrict = false)
    {
        Sessions++;
        using var session = new AuditedSession(
            _source, _model, [.. _saboteurs.Select((saboteur, number) => (Ranges[number / PerHop], saboteur))], Prompt, Settings, Limits,
            new AnswerText(_tokenizer, Settings, _source.Shape.EndTokens), (_seed * 10_007) + Sessions, isStrict, standing: Standing, trust: _trust, through: through);
        session.Run();
        Assert.Equal(0, session.Left);
        WrongAnswers += session.Tokens.SequenceEqual(Honest) ? 0 : 1;
        _time += TimeSpan.FromMinutes(1);
        foreach (var check in session.Checks)
        {
            Count(new WorkReport(check.Device, session.Session, _model.Model, check.Range, WorkOutcome.Checked, check.Tokens, check.Facts));
        }

        foreach (var work in session.Works)
        {
            Count(work);
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

    /// <summary>Nothing speaks against a device in any role.</summary>
    public void IsUntouched(int number)
    {
        var state = this[number];
        Assert.Equal((0L, 0L, 0L, 0L, 0L), (state.Server.Hard, state.Server.Soft, state.Verifier.Hard, state.Verifier.Soft, state.Failures));
    }

    public void Dispose() => _source.Dispose();

    private DeviceStanding? Standing(int number, DeviceId device)
    {
        _ids[number] = device;
        var state = _ledger.TryGetValue(device, out var known) ? known : ReputationState.Empty(device) with { History = new History(Conduct.New with { Server = RoleStanding.New with { PassedTokens = Passed } }, [], HistorySegment.Empty) };
        _ledger[device] = state;
        var standing = state.ToStanding(_trust, AuditedSession.Self);
        _saboteurs[number]?.Behavior.Heard(standing?.Score ?? 0);
        return standing;
    }

    private void Count(WorkReport report)
    {
        Assert.Null(WorkRules.Problem(report.Device, report.Range, report.Outcome, report.Tokens, report.Check));
        var record = new RecordWork(
            new ReportId(_reporter, ++_reports), report.Device, report.Session, report.Model, report.Range, report.Outcome, report.Tokens, _time, report.Check);
        _ledger[report.Device] = _ledger[report.Device].Apply(WorkRules.Count(record, _time, _trust, _ledger[report.Device].History.Now));
    }

    /// <summary>Up to the end of the unit that speaks against it; all where none does.</summary>
    private static int Delivered(AuditedSession session, DeviceId device)
        => session.Checks.FirstOrDefault(check => check.Device == device && check.Facts is { Role: TrustRole.Server, Outcome: not CheckOutcome.Passed }) is { } found
            ? found.Facts.Position + found.Tokens
            : session.Signed.GetValueOrDefault(device);
}
