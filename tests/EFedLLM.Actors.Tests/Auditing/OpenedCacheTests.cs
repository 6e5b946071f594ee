using System.Collections.Immutable;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
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
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>Units of trusted devices are checked one by one, from what the hops open of those between: that costs no more, and nobody can lie with it.</summary>
public sealed class OpenedCacheTests(ITestOutputHelper output) : IDisposable
{
    private const int Lie = 3;

    private static readonly ImmutableArray<int> Prompt = [1, 403, 407, 261, 378, 432, 10, 77, 300, 12, 45, 9, 260, 5, 17, 80, 81, 82, 83, 84];

    private static readonly NodeLimits Limits = TestLimits.Reference with { PromptChunk = 7 };

    private static readonly LayerRange[] Thirds = [new(0, 3), new(3, 5), new(5, 7)];

    private readonly List<IDisposable> _open = [];

    public void Dispose()
    {
        foreach (var each in _open)
        {
            each.Dispose();
        }
    }

    [SharedTheory]
    [InlineData(ProtocolLimits.ActivationBytes)]
    [InlineData(300)]
    public void Of_a_long_session_no_more_positions_are_recomputed_than_the_units_that_were_chosen_have(int messageBytes)
    {
        var (recomputed, positions, opened) = (0, 0, 0);
        for (var seed = 1; seed <= 6; seed++)
        {
            var (session, expected) = Start(seed, tokens: 220, temperature: 0.9f, messageBytes: messageBytes);
            session.Run();
            CheckHonest(session, expected);
            Assert.Equal(3 * (Prompt.Length + 219), session.Units().Sum(unit => unit.Receipt.Rows));
            (recomputed, positions, opened) = (recomputed + session.Recomputed, positions + (3 * (Prompt.Length + 219)), opened + session.Opened);
        }

        output.WriteLine($"Of {positions} positions of 6 sessions {recomputed} were recomputed ({(double)recomputed / positions:P1}); keys and values came in {opened} messages of at most {messageBytes} bytes.");
        Assert.InRange(recomputed, 16, positions / 10);
        Assert.True(opened > 0);
    }

    [SharedFact]
    public void Hops_without_layers_have_nothing_to_open_and_are_checked_all_the_same()
    {
        for (var seed = 1; seed <= 4; seed++)
        {
            var (session, expected) = Start(seed, rate: 0.3, ranges: [new(0, 1), new(1, 6), new(6, 7)]);
            session.Run();
            CheckHonest(session, expected);
            Assert.True(session.Recomputed > 0);
        }
    }

    [SharedTheory]
    [InlineData("output")]
    [InlineData("forged")]
    [InlineData("not finite")]
    public void A_lie_about_one_unit_is_found_when_that_unit_is_chosen_and_one_about_what_is_kept_in_every_later_one_too(string what)
    {
        var (found, missed) = (0, 0);
        for (var seed = 1; seed <= 24; seed++)
        {
            var lies = new Lies(what);
            var (session, _) = Start(seed, rate: 0.2, liar: number => number / 4 == 1 ? new Saboteur(what, lies.New(), seed: seed) : null);
            session.Run();
            var liar = session.Devices.Single(device => lies.IsLiar(device.Saboteur?.Behavior));
            var isChosen = session.Units().Any(unit => unit.IsChosen && unit.Receipt.Device == liar.Device
                && (what == "output" ? unit.Receipt.Position == Lie * UnitCut.Rows : unit.Receipt.Position >= Lie * UnitCut.Rows));
            var bad = session.Checks.Where(check => check.Facts.Outcome != CheckOutcome.Passed).ToArray();
            if (isChosen)
            {
                var facts = Assert.Single(bad);
                Assert.Equal((liar.Device, CheckOutcome.Hard, TrustRole.Server, Lie * UnitCut.Rows), (facts.Device, facts.Facts.Outcome, facts.Facts.Role, facts.Facts.Position));
            }
            else
            {
                Assert.Empty(bad);
            }

            (found, missed) = isChosen ? (found + 1, missed) : (found, missed + 1);
            Assert.Equal(0, session.Left);
        }

        output.WriteLine($"The lie was found in {found} sessions and in {missed} its unit was not chosen.");
        Assert.True(found > 2 && missed > 2);
    }

    [SharedFact]
    public void Who_opens_other_keys_and_values_than_it_signed_is_named_at_once()
    {
        var (session, expected) = Start(seed: 1, rate: 0.5, liar: number => number / 4 == 1 && number % 4 < 3 ? new Saboteur("opens another", new OpensAnother()) : null);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        var bad = session.Checks.Where(check => check.Facts.Outcome != CheckOutcome.Passed).ToArray();
        Assert.NotEmpty(bad);
        Assert.All(bad, check => Assert.Equal((CheckOutcome.Hard, "it opens other keys and values than it signed."), (check.Facts.Outcome, check.Facts.Reason)));
        Assert.Subset(session.Devices.Where(device => device.Saboteur is not null).Select(device => device.Device).ToHashSet(), bad.Select(check => check.Device).ToHashSet());
    }

    [SharedFact]
    public void Who_does_not_open_what_it_keeps_is_left_and_the_answer_is_the_honest_one()
    {
        var (session, expected) = Start(seed: 1, rate: 0.5, liar: number => number / 4 == 2 && number % 4 < 3 ? Saboteur.Parse("refuse-opening") : null);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        var bad = session.Checks.Where(check => check.Facts.Outcome != CheckOutcome.Passed).ToArray();
        Assert.NotEmpty(bad);
        Assert.All(bad, check => Assert.Equal((CheckOutcome.Soft, "it does not open what it signed."), (check.Facts.Outcome, check.Facts.Reason)));
        Assert.Subset(session.Devices.Where(device => device.Saboteur is not null).Select(device => device.Device).ToHashSet(), bad.Select(check => check.Device).ToHashSet());
    }

    [SharedTheory]
    [InlineData("lazy-verifier")]
    [InlineData("slander")]
    public void A_verifier_that_lies_about_one_unit_of_many_is_named_and_no_server_is(string behaviour)
    {
        var (session, expected) = Start(seed: 3, rate: 0.3, liar: number => number % 4 > 0 ? Saboteur.Parse(behaviour) : null);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.Empty(session.Accused(CheckOutcome.Hard));
        Assert.Empty(session.Accused(CheckOutcome.Soft));
        Assert.NotEmpty(session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
        Assert.Subset(session.Devices.Where(device => device.Saboteur is not null).Select(device => device.Device).ToHashSet(), session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
    }

    [SharedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Forged_keys_and_values_are_found_whoever_decides(bool canJudge)
    {
        var found = 0;
        for (var seed = 1; seed <= 6; seed++)
        {
            var (session, expected) = Start(seed, rate: 0.3, canJudge: canJudge, liar: number => number / 4 == 1 && number % 4 < 3 ? Saboteur.Parse("forged-kv") : null);
            session.Run();

            // What goes out is right, so that the answer is whatever is found.
            Assert.Equal(expected, session.Tokens);
            var liars = session.Devices.Where(device => device.Saboteur is not null).Select(device => device.Device).ToHashSet();
            var accused = session.Accused(canJudge ? CheckOutcome.Hard : CheckOutcome.Soft);
            Assert.Equal(session.Units().Any(unit => unit.IsChosen && liars.Contains(unit.Receipt.Device)), accused.Count > 0);
            Assert.Subset(liars, accused);
            Assert.Empty(session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
            Assert.Empty(session.Accused(CheckOutcome.Soft, TrustRole.Verifier));
            Assert.True(canJudge || session.Accused(CheckOutcome.Hard).Count == 0);
            found += accused.Count > 0 ? 1 : 0;
        }

        Assert.InRange(found, 3, 6);
    }

    [SharedFact]
    public void Where_nobody_else_holds_the_layers_the_judge_checks_what_was_chosen_and_no_more()
    {
        var (session, expected) = Start(seed: 4, rate: 0.3, perHop: 1);
        session.Run();
        CheckHonest(session, expected);
        Assert.Equal(AuditedSession.Gateway, Assert.Single(session.Checks.Select(check => check.Facts.Verifier).Distinct()));
    }

    [SharedFact]
    public void What_the_judge_finds_with_what_a_hop_opened_it_finds_again_without()
    {
        var later = 0;
        for (var seed = 1; seed <= 12; seed++)
        {
            var lies = new Lies("forged");
            var (session, _) = Start(seed, rate: 0.2, perHop: 1, liar: number => number == 1 ? new Saboteur("forged", lies.New()) : null);
            session.Run();
            var chosen = session.Units().Where(unit => unit.IsChosen && unit.Receipt.Device == session.Devices[1].Device && unit.Receipt.Position >= Lie * UnitCut.Rows).ToArray();
            if (chosen.Length > 0)
            {
                // Not the unit that was chosen is the one that it convicts for, but the one that was forged.
                var bad = Assert.Single(session.Checks, check => check.Facts.Outcome != CheckOutcome.Passed);
                Assert.Equal((session.Devices[1].Device, CheckOutcome.Hard, Lie * UnitCut.Rows), (bad.Device, bad.Facts.Outcome, bad.Facts.Position));
                later += chosen[0].Receipt.Position > Lie * UnitCut.Rows ? 1 : 0;
            }
        }

        Assert.True(later > 0);
    }

    [SharedFact]
    public void A_device_that_loses_its_standing_has_everything_checked_that_nobody_chose_before()
    {
        var (session, expected) = Start(seed: 5, rate: 0.2, loss: (60, Thirds[1]));
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.All(session.Checks, check => Assert.Equal(CheckOutcome.Passed, check.Facts.Outcome));
        var rows = session.Checks.GroupBy(check => check.Range).ToDictionary(group => group.Key, group => group.Sum(check => check.Tokens));
        Assert.Equal(Prompt.Length + 119, rows[Thirds[1]]);
        Assert.True(rows.GetValueOrDefault(Thirds[0]) < Prompt.Length + 119 && rows.GetValueOrDefault(Thirds[2]) < Prompt.Length + 119);
    }

    [SharedTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Where_a_route_is_repaired_what_was_signed_before_is_right_for_those_who_check_it_later(int hop)
    {
        for (var seed = 1; seed <= 3; seed++)
        {
            // The head draws nothing after positions that are fed again, and all that it signed before is checked at the end.
            var (session, expected) = Start(seed, rate: 0.2, temperature: 0.9f, death: (45, hop), loss: (90, Thirds[2]));
            session.Run();
            Assert.Equal(expected, session.Tokens);
            Assert.All(session.Checks, check => Assert.Equal(CheckOutcome.Passed, check.Facts.Outcome));
            Assert.Equal([1, 2], session.Units().Select(unit => unit.Receipt.Epoch).Distinct().Order());
            Assert.Equal(0, session.Left);
        }
    }

    [SharedTheory]
    [InlineData(4)]
    [InlineData(1)]
    public void Who_forgets_a_check_that_it_had_nothing_to_do_for_is_asked_again_and_gets_what_it_had(int perHop)
    {
        for (var seed = 1; seed <= 3; seed++)
        {
            var (session, expected) = Start(seed, rate: 0.4, perHop: perHop, forgetting: 60);
            session.Run();
            CheckHonest(session, expected);
        }
    }

    private static void CheckHonest(AuditedSession session, int[] expected)
    {
        Assert.Equal(expected, session.Tokens);
        Assert.IsType<GenerationFinished>(session.Told[^1]);
        Assert.All(session.Checks, check => Assert.Equal(CheckOutcome.Passed, check.Facts.Outcome));
        var chosen = session.Units().Where(unit => unit.IsChosen).Sum(unit => unit.Receipt.Rows);
        Assert.Equal((chosen, chosen), (session.Recomputed, session.Checks.Sum(check => check.Tokens)));
        Assert.Equal(0, session.Left);
    }

    /// <summary>Devices with a full standing, four for each hop, of whose units a part is checked.</summary>
    private (AuditedSession Session, int[] Expected) Start(
        int seed, int tokens = 120, double rate = 0.05, float temperature = 0, int perHop = 4, bool canJudge = true, LayerRange[]? ranges = null, Func<int, Saboteur?>? liar = null,
        int messageBytes = ProtocolLimits.ActivationBytes, (int, LayerRange)? loss = null, (int, int)? death = null, int? forgetting = null)
    {
        var source = ModelFolder.Open(SharedModels.Model("stories260K"));
        _open.Add(source);
        var tokenizer = ModelTokenizer.Load(source.Folder);
        var settings = new GenerationSettings { MaxTokens = tokens, IgnoreEndTokens = true, Sampling = new SamplingSettings { Temperature = temperature, Seed = 11 } };
        var session = new AuditedSession(
            source,
            Facts.Model('a', "tiny", source.Shape.Layers) with { Model = TestSessions.Model, HiddenSize = source.Shape.HiddenSize },
            [.. Enumerable.Range(0, 3 * perHop).Select(number => ((ranges ?? Thirds)[number / perHop], liar?.Invoke(number)))],
            Prompt, settings, Limits, new AnswerText(tokenizer, settings, source.Shape.EndTokens), seed, isStrict: false, canJudge,
            (_, device) => new DeviceStanding(device, TrustTier.Full, TrustTier.Full, 0, 1, AuditedSession.Self),
            new TrustSettings { FullRate = rate, PlantedShare = 0 }, messageBytes)
        {
            Loss = loss,
            HopDeath = death,
            Forgetting = forgetting,
        };
        _open.Add(session);
        using var team = new ComputeTeam(1);
        using var generator = new LocalGenerator(source, team);
        return (session, [.. generator.Generate(Prompt.AsMemory(), settings, tokenizer).OfType<GeneratedToken>().Select(token => token.Choice.Id)]);
    }

    /// <summary>One device of many lies, about one unit: whichever serves first.</summary>
    private sealed class Lies(string what)
    {
        private IHopBehavior? _liar;

        public IHopBehavior New() => new One(this);

        public bool IsLiar(IHopBehavior? behavior) => behavior is not null && ReferenceEquals(_liar, behavior);

        private sealed class One(Lies owner) : IHopBehavior
        {
            private bool IsIt => ReferenceEquals(owner._liar ??= this, this);

            public void Computed(HopOutput output)
            {
                var width = output.Values.Length / output.Rows;
                for (var row = 0; IsIt && owner.What == "output" && row < output.Rows; row++)
                {
                    if ((output.Position + row) / UnitCut.Rows == Lie)
                    {
                        output.Values.Span[row * width] += 1;
                    }
                }
            }

            public void Kept(int position, int offset, Span<Half> values)
            {
                if (IsIt && owner.What != "output" && position / UnitCut.Rows == Lie)
                {
                    values[0] = owner.What == "forged" ? values[0] + Half.One : Half.NaN;
                }
            }
        }

        private string What => what;
    }

    /// <summary>Signs the right keys and values, and opens others.</summary>
    private sealed class OpensAnother : IHopBehavior
    {
        private readonly HashSet<int> _signed = [];

        public void Kept(int position, int offset, Span<Half> values)
        {
            if (!_signed.Add(position))
            {
                values[0] += Half.One;
            }
        }
    }
}
