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

/// <summary>Twelve devices, four for each third of a model, of which some lie: the answer that is told is the honest one, the liar is named, and nobody else.</summary>
public sealed class AuditedSessionTests : IDisposable
{
    private static readonly ImmutableArray<int> Prompt = [1, 403, 407, 261, 378, 432, 10, 77, 300, 12, 45, 9, 260, 5, 17, 80, 81, 82, 83, 84];

    private static readonly NodeLimits Limits = TestLimits.Reference with { PromptChunk = 7 };

    private static readonly string[] WrongWork =
    [
        "bf16", "bit-flip", "denormal", "echo-input", "forged-kv", "int4", "int6", "int8", "low-rank", "noise", "replay", "sign-flip", "skip-attention", "skip-ffn", "stale",
    ];

    private readonly List<IDisposable> _open = [];

    public static TheoryData<string, int> Lies
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var behaviour in WrongWork)
            {
                for (var hop = 0; hop < 3; hop++)
                {
                    data.Add(behaviour, hop);
                }
            }

            return data;
        }
    }

    public void Dispose()
    {
        foreach (var each in _open)
        {
            each.Dispose();
        }
    }

    [SharedTheory]
    [InlineData(0f, true)]
    [InlineData(0.9f, true)]
    [InlineData(0f, false)]
    public void Where_all_are_honest_everything_is_checked_and_nobody_is_accused(float temperature, bool isStrict)
    {
        var (session, expected) = Start(new string?[12], temperature, isStrict, trust: new TrustSettings { PlantedShare = 0 });
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.IsType<GenerationFinished>(session.Told[^1]);
        Assert.All(session.Checks, check => Assert.Equal(CheckOutcome.Passed, check.Facts.Outcome));
        Assert.Equal(3, session.Checks.Select(check => check.Device).Distinct().Count());
        Assert.Equal(3 * (Prompt.Length + expected.Length - 1), session.Checks.Sum(check => check.Tokens));
        Assert.Equal(0, session.Left);
    }

    [SharedTheory]
    [MemberData(nameof(Lies))]
    public void A_liar_at_any_hop_is_named_and_the_answer_is_the_honest_one(string behaviour, int hop)
    {
        // Whoever of the four is drawn first lies: all but one do.
        var (session, expected) = Start(On(hop, behaviour, liars: 3), 0, isStrict: true);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.IsType<GenerationFinished>(session.Told[^1]);
        var liars = session.Devices.Where((_, number) => number / 4 == hop && number % 4 < 3).Select(device => device.Device).ToHashSet();
        var accused = session.Accused(CheckOutcome.Hard);
        accused.UnionWith(session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
        Assert.Subset(liars, accused);
        Assert.True(accused.Count > 0 || !session.Devices.Any(device => liars.Contains(device.Device) && session.Served.Contains(device.Ref)), "A liar served and nobody said so.");
        Assert.Empty(session.Accused(CheckOutcome.Soft));
        Assert.Equal(0, session.Left);
    }

    [SharedTheory]
    [MemberData(nameof(Lies))]
    public void A_liar_among_newcomers_is_named_by_others_before_anything_of_it_is_told(string behaviour, int hop)
    {
        for (var liar = 4 * hop; liar < 4 * (hop + 1); liar++)
        {
            var devices = new string?[12];
            devices[liar] = behaviour;
            var (session, expected) = Start(devices, 0, isStrict: false);
            session.Run();
            Assert.Equal(expected, session.Tokens);
            Assert.IsType<GenerationFinished>(session.Told[^1]);
            var accused = session.Accused(CheckOutcome.Hard);
            accused.UnionWith(session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
            Assert.Subset(new HashSet<DeviceId> { session.Devices[liar].Device }, accused);
            Assert.True(accused.Count > 0 || !session.Served.Contains(session.Devices[liar].Ref), "The liar served and nobody said so.");
            Assert.Empty(session.Accused(CheckOutcome.Soft));
        }
    }

    [SharedTheory]
    [InlineData("lazy-verifier")]
    [InlineData("slander")]
    public void A_verifier_that_lies_is_named_and_no_server_is(string behaviour)
    {
        // All but one of each hop: so most verifiers lie, and none of the servers.
        var (session, expected) = Start([.. Enumerable.Range(0, 12).Select(number => number % 4 == 0 ? null : behaviour)], 0, isStrict: false);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.Empty(session.Accused(CheckOutcome.Hard));
        Assert.Empty(session.Accused(CheckOutcome.Soft));
        var liars = session.Devices.Where((_, number) => number % 4 != 0).Select(device => device.Device).ToHashSet();
        Assert.NotEmpty(session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
        Assert.Subset(liars, session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
    }

    [SharedTheory]
    [InlineData("unsigned", "is not signed by it")]
    [InlineData("forged", "is not signed by it")]
    [InlineData("another's", "is not signed by it")]
    [InlineData("changed", "is not signed by it")]
    [InlineData("replayed", "is not signed by it")]
    [InlineData("of another input", "was given something else")]
    public void What_a_verifier_does_not_sign_or_signs_of_another_input_is_no_answer_and_counts_against_it_once(string forgery, string reason)
    {
        AuditedSession? session = null;

        // All but one of each hop: so most verifiers do it, and some units are left to the gateway.
        var (started, expected) = Start(new string?[12], 0, isStrict: false, around: new SessionSurroundings
        {
            Tampers = (number, message) => [message is UnitRecomputed answer && number % 4 != 0 ? Tampered(number, answer) : message],
        });
        session = started;
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.IsType<GenerationFinished>(session.Told[^1]);
        Assert.Empty(session.Accused(CheckOutcome.Hard));
        Assert.Empty(session.Accused(CheckOutcome.Soft));
        Assert.Empty(session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
        var accused = session.Checks.Where(check => check.Facts.Outcome == CheckOutcome.Soft).ToArray();
        Assert.NotEmpty(accused);
        Assert.All(accused, check => Assert.Contains(reason, check.Facts.Reason, StringComparison.Ordinal));
        Assert.Equal(accused.Length, accused.Select(check => check.Device).Distinct().Count());
        Assert.Subset(session.Devices.Where((_, number) => number % 4 != 0).Select(device => device.Device).ToHashSet(), session.Accused(CheckOutcome.Soft, TrustRole.Verifier));
        Assert.Equal(3 * (Prompt.Length + expected.Length - 1), session.Checks.Where(check => check.Facts is { Role: TrustRole.Server }).Sum(check => check.Tokens));
        Assert.Equal(0, session.Left);

        UnitRecomputed Tampered(int number, UnitRecomputed answer)
        {
            var (device, other) = (session!.Devices[number], session.Devices[(number + 1) % 12]);
            return forgery switch
            {
                "unsigned" => answer with { Signature = [] },
                "forged" => answer with { Signature = answer.Signature.SetItem(40, (byte)~answer.Signature[40]) },
                "another's" => other.Sign(answer),
                "changed" => answer with { Answer = Digest.Of([1]) },
                "replayed" => answer with { Signature = device.Sign(answer with { Session = SessionId.New() }).Signature },
                _ => device.Sign(answer with { GivenRoot = Digest.Of([1]) }),
            };
        }
    }

    [SharedTheory]
    [InlineData("refuse-opening", 0)]
    [InlineData("refuse-opening", 1)]
    [InlineData("sign-one-send-another", 0)]
    [InlineData("sign-one-send-another", 1)]
    public void Whoever_does_not_stand_by_what_it_gave_is_left_and_the_answer_is_the_honest_one(string behaviour, int hop)
    {
        var (session, expected) = Start(On(hop, behaviour, liars: 2), 0, isStrict: true);
        session.Run();
        Assert.Equal(expected, session.Tokens);

        // Of two that contradict each other nobody can say which one lies; none is punished as a proven liar.
        Assert.Empty(session.Accused(CheckOutcome.Hard));
        var served = session.Devices.Where((_, number) => number / 4 == hop && number % 4 < 2).Any(liar => session.Served.Contains(liar.Ref));
        Assert.Equal(served && behaviour != "refuse-opening", session.Accused(CheckOutcome.Soft).Count > 0);
        Assert.Equal(0, session.Left);
    }

    [SharedTheory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(1, false)]
    public void Who_sends_what_no_model_gives_and_does_not_open_it_is_left_and_named_where_it_was_silent(int hop, bool isSilent)
    {
        var delay = isSilent ? TimeSpan.FromMinutes(1) : Timeout.InfiniteTimeSpan;
        var (session, expected) = Start(new string?[12], 0, isStrict: false, special: number => number / 4 == hop && number % 4 < 3 ? new NoNumber(delay) : null);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.IsType<GenerationFinished>(session.Told[^1]);
        var liars = session.Devices.Where((_, number) => number / 4 == hop && number % 4 < 3).ToArray();
        var used = liars.Where(liar => session.Served.Contains(liar.Ref)).Select(liar => liar.Device).ToHashSet();

        // Who says that it has forgotten may be short of memory; it is only used no more. While another one is silent it may be recomputed.
        var accused = session.Accused(CheckOutcome.Soft);
        accused.UnionWith(session.Accused(CheckOutcome.Hard));
        Assert.Equal(isSilent ? used : [], accused);
        Assert.Equal(used, session.Works.Where(work => work.Outcome == WorkOutcome.Failed).Select(work => work.Device).ToHashSet());
        Assert.Equal(0, session.Left);
    }

    [SharedFact]
    public void Two_liars_at_once_are_both_named()
    {
        var devices = On(0, "sign-flip", 3).Zip(On(2, "noise", 3), (one, other) => one ?? other).ToArray();
        var (session, expected) = Start(devices, 0, isStrict: true);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        var accused = session.Accused(CheckOutcome.Hard);
        accused.UnionWith(session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
        Assert.Subset(session.Devices.Where((_, number) => devices[number] is not null).Select(device => device.Device).ToHashSet(), accused);
        Assert.NotEmpty(accused);
    }

    [SharedFact]
    public void Where_everybody_who_holds_the_layers_lies_the_answer_fails_and_nothing_of_it_is_told()
    {
        var (session, _) = Start(On(1, "sign-flip", 4), 0, isStrict: true);
        session.Run();
        Assert.Empty(session.Tokens);
        var failed = Assert.IsType<GenerationFailed>(session.Told[^1]);
        Assert.Contains("it signed another result than the right one", failed.Message, StringComparison.Ordinal);
        Assert.Equal(0, session.Left);
    }

    [SharedTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_server_and_the_verifiers_that_lie_with_it_are_named_where_the_gateway_looks_itself(int hop)
    {
        // Whoever computes with the same wrong weights gets the same wrong result.
        var (session, _) = Start(On(hop, "skip-ffn", 4), 0, isStrict: false, trust: new TrustSettings { PlantedShare = 1 });
        session.Run();
        Assert.Empty(session.Tokens);
        Assert.IsType<GenerationFailed>(session.Told[^1]);
        var accused = session.Checks.Where(check => check.Facts.Outcome != CheckOutcome.Passed).ToArray();
        Assert.All(accused, check => Assert.Equal((CheckOutcome.Hard, session.Devices[4 * hop].Range), (check.Facts.Outcome, check.Range)));
        Assert.Contains(accused, check => check.Facts.Role == TrustRole.Server);
        Assert.Contains(accused, check => check.Facts.Role == TrustRole.Verifier);
        Assert.Equal(0, session.Left);
    }

    [SharedFact]
    public void Verifiers_that_the_gateway_looks_after_have_it_said_that_they_were_right()
    {
        var (session, expected) = Start(new string?[12], 0.9f, isStrict: false, trust: new TrustSettings { PlantedShare = 0.5 });
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.All(session.Checks, check => Assert.Equal(CheckOutcome.Passed, check.Facts.Outcome));
        Assert.Equal([TrustRole.Server, TrustRole.Verifier], session.Checks.Select(check => check.Facts.Role).Distinct().Order());
        Assert.Equal(3 * (Prompt.Length + expected.Length - 1), session.Checks.Where(check => check.Facts.Role == TrustRole.Server).Sum(check => check.Tokens));
        Assert.Equal(0, session.Left);
    }

    [SharedFact]
    public void Without_the_model_s_files_a_second_verifier_decides()
    {
        // One of four lies, and the others agree.
        for (var liar = 4; liar < 8; liar++)
        {
            var devices = new string?[12];
            devices[liar] = "sign-flip";
            var (session, expected) = Start(devices, 0, isStrict: true, canJudge: false);
            session.Run();
            Assert.Equal(expected, session.Tokens);
            Assert.Empty(session.Accused(CheckOutcome.Hard));
            Assert.Empty(session.Accused(CheckOutcome.Hard, TrustRole.Verifier));
            var accused = session.Accused(CheckOutcome.Soft);
            accused.UnionWith(session.Accused(CheckOutcome.Soft, TrustRole.Verifier));
            Assert.Subset(new HashSet<DeviceId> { session.Devices[liar].Device }, accused);
        }
    }

    [SharedFact]
    public void Without_files_and_without_others_a_verified_answer_fails_and_says_why_and_another_one_is_told()
    {
        var (session, _) = Start(new string?[3], 0, isStrict: true, canJudge: false, perHop: 1);
        session.Run();
        var failed = Assert.IsType<GenerationFailed>(session.Told[^1]);
        Assert.Equal(GenerationError.Unverified, failed.Error);
        Assert.Contains("nobody else holds its layers", failed.Message, StringComparison.Ordinal);
        Assert.Empty(session.Tokens);

        var (other, expected) = Start(new string?[3], 0, isStrict: false, canJudge: false, perHop: 1);
        other.Run();
        Assert.Equal(expected, other.Tokens);
    }

    [SharedTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_hop_that_dies_before_it_is_checked_is_computed_again_by_others(int hop)
    {
        var (session, expected) = Start(new string?[12], 0.9f, isStrict: true, death: (3, hop * 4));
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.All(session.Checks, check => Assert.Equal(CheckOutcome.Passed, check.Facts.Outcome));
        Assert.Equal(0, session.Left);
    }

    [SharedFact]
    public void A_verifier_that_dies_at_any_message_of_a_check_is_replaced_and_each_position_is_counted_once()
    {
        for (var message = 1; message <= 16; message++)
        {
            var (session, expected) = Start(new string?[12], 0.9f, isStrict: false, checkDeath: message);
            session.Run();
            Assert.Equal(1, session.Dead);
            Assert.Equal(expected, session.Tokens);
            Assert.All(session.Checks, check => Assert.Equal(CheckOutcome.Passed, check.Facts.Outcome));
            var served = session.Checks.Where(check => check.Facts.Role == TrustRole.Server).ToArray();
            foreach (var (device, positions) in session.Signed)
            {
                var counted = served.Where(check => check.Device == device).OrderBy(check => check.Facts.Position).ToArray();
                Assert.Equal(positions, counted.Sum(check => check.Tokens));
                Assert.All(counted.Zip(counted.Skip(1)), pair => Assert.Equal(pair.Item1.Facts.Position + pair.Item1.Tokens, pair.Item2.Facts.Position));
            }

            Assert.Equal(0, session.Left);
        }
    }

    [SharedFact]
    public void Of_devices_with_a_full_standing_little_is_checked_and_nothing_waits()
    {
        var (checks, told) = (0, 0);
        for (var seed = 1; seed <= 20; seed++)
        {
            var (session, expected) = Start(new string?[12], 0, isStrict: false, standing: _ => TrustTier.Full, seed: seed);
            session.Run();
            Assert.Equal(expected, session.Tokens);
            checks += session.Checks.Sum(check => check.Tokens);
            told += 3 * (Prompt.Length + expected.Length - 1);
        }

        Assert.InRange(checks, 1, told / 10);
    }

    [SharedFact]
    public void Whoever_checks_is_never_of_the_owner_of_the_device_that_it_checks()
    {
        // Of each four two are anna's and two bert's.
        var (drawn, owners) = (new HashSet<int>(), (Func<int, string>)(number => number % 2 == 0 ? "anna" : "bert"));
        for (var seed = 1; seed <= 40; seed++)
        {
            var (session, expected) = Start(new string?[12], 0, isStrict: false, seed: seed, around: new SessionSurroundings { Owners = owners });
            session.Run();
            Assert.Equal(expected, session.Tokens);
            foreach (var check in session.Checks.Where(check => check.Facts.Role == TrustRole.Server && check.Facts.Verifier != AuditedSession.Gateway))
            {
                var (server, verifier) = (Number(check.Device), Number(check.Facts.Verifier));
                Assert.NotEqual(owners(server), owners(verifier));
                drawn.Add(verifier);
            }

            int Number(DeviceId device) => session.Devices.FindIndex(stage => stage.Device == device);
        }

        Assert.True(drawn.Count >= 6, $"Only {drawn.Count} ever checked.");
    }

    [SharedFact]
    public void Where_all_devices_are_of_one_owner_the_gateway_checks_them_itself()
    {
        for (var seed = 1; seed <= 5; seed++)
        {
            var (session, expected) = Start(On(1, "sign-flip", liars: 2), 0, isStrict: false, seed: seed, around: new SessionSurroundings { Owners = _ => "anna" });
            session.Run();
            Assert.Equal(expected, session.Tokens);
            Assert.NotEmpty(session.Checks);
            Assert.All(session.Checks, check => Assert.Equal(AuditedSession.Gateway, check.Facts.Verifier));
        }
    }

    [SharedFact]
    public void In_a_dispute_without_the_model_s_files_no_second_device_of_the_verifier_s_owner_decides()
    {
        // Whoever serves is nobody's or an owner's of its own; the three others are one liar's, who slanders.
        for (var seed = 1; seed <= 10; seed++)
        {
            var (session, expected) = Start(
                [.. Enumerable.Range(0, 12).Select(number => number % 4 == 0 ? null : "slander")], 0, isStrict: false, canJudge: false, seed: seed,
                around: new SessionSurroundings { Owners = number => number % 4 == 0 ? null : "liar" });
            session.Run();
            var honest = session.Devices.Where((_, number) => number % 4 == 0).Select(device => device.Device).ToHashSet();
            Assert.DoesNotContain(session.Checks, check => check.Facts is { Outcome: CheckOutcome.Soft, Role: TrustRole.Server } && honest.Contains(check.Device) && !check.Facts.Reason.Contains("nobody could decide", StringComparison.Ordinal));
            Assert.True(session.Told[^1] is GenerationFailed || session.Tokens.SequenceEqual(expected));
        }
    }

    [SharedFact]
    public void A_device_that_hides_whose_it_is_where_others_show_it_checks_nobody_and_is_checked_by_the_gateway()
    {
        var hidden = false;
        for (var seed = 1; seed <= 20; seed++)
        {
            var (session, expected) = Start(
                new string?[12], 0, isStrict: false, seed: seed, around: new SessionSurroundings { Owners = number => number % 4 < 3 ? $"{number % 4}" : null, Shows = number => number % 4 < 3 });
            session.Run();
            Assert.Equal(expected, session.Tokens);
            var hiding = session.Devices.Where((_, number) => number % 4 == 3).Select(device => device.Device).ToHashSet();
            Assert.DoesNotContain(session.Checks, check => hiding.Contains(check.Facts.Verifier));
            foreach (var check in session.Checks.Where(check => hiding.Contains(check.Device)))
            {
                Assert.Equal(AuditedSession.Gateway, check.Facts.Verifier);
                hidden = true;
            }

            Assert.Contains(session.Checks, check => check.Facts.Verifier != AuditedSession.Gateway);
        }

        Assert.True(hidden, "No device that hides ever served.");
    }

    [SharedFact]
    public void Nobody_is_paid_for_serving_or_checking_for_a_gateway_of_his_own()
    {
        var (served, verified) = (new HashSet<bool>(), new HashSet<bool>());
        for (var seed = 1; seed <= 20; seed++)
        {
            var (session, _) = Start(new string?[12], 0, isStrict: false, seed: seed, around: new SessionSurroundings { Owner = "anna", Owners = number => number % 3 == 0 ? "anna" : $"{number}" });
            session.Run();
            var own = session.Devices.Where((_, number) => number % 3 == 0).Select(device => device.Device).ToHashSet();
            foreach (var work in session.Works.Where(work => work.Outcome == WorkOutcome.Served))
            {
                Assert.Equal(own.Contains(work.Device) ? default(WorkSize) : null, work.Size);
                served.Add(own.Contains(work.Device));
            }

            foreach (var verdict in session.Verdicts.Where(verdict => verdict.Check!.Role == TrustRole.Server && verdict.Check.Verifier != AuditedSession.Gateway))
            {
                Assert.NotEqual(own.Contains(verdict.Check!.Verifier), WorkRules.Verifying(verdict, AuditedSession.Gateway) is not null);
                verified.Add(own.Contains(verdict.Check.Verifier));
            }
        }

        Assert.Equal((2, 2), (served.Count, verified.Count));
    }

    private static string?[] On(int hop, string behaviour, int liars) => [.. Enumerable.Range(0, 12).Select(number => number / 4 == hop && number % 4 < liars ? behaviour : null)];

    private (AuditedSession Session, int[] Expected) Start(
        string?[] saboteurs, float temperature, bool isStrict, bool canJudge = true, int perHop = 4, (int, int)? death = null, Func<int, TrustTier?>? standing = null, int seed = 7,
        Func<int, IHopBehavior?>? special = null, TrustSettings? trust = null, int? checkDeath = null, SessionSurroundings? around = null)
    {
        var source = ModelFolder.Open(SharedModels.Model("stories260K"));
        _open.Add(source);
        var tokenizer = ModelTokenizer.Load(source.Folder);
        var settings = new GenerationSettings { MaxTokens = 40, IgnoreEndTokens = true, Sampling = new SamplingSettings { Temperature = temperature, Seed = 11 } };
        LayerRange[] ranges = [new(0, 3), new(3, 5), new(5, 7)];
        var session = new AuditedSession(
            source,
            Facts.Model('a', "tiny", source.Shape.Layers) with { Model = TestSessions.Model, HiddenSize = source.Shape.HiddenSize },
            [.. saboteurs.Select((saboteur, number) => (ranges[number / perHop], special?.Invoke(number) is { } behavior ? new Saboteur("special", behavior) : saboteur is null ? null : Saboteur.Parse(saboteur, seed)))],
            Prompt, settings, Limits, new AnswerText(tokenizer, settings, source.Shape.EndTokens), seed, isStrict, canJudge,
            (number, device) => standing?.Invoke(number) is { } tier ? new DeviceStanding(device, tier, tier, 0, 1, AuditedSession.Self) : null,
            trust,
            around: around)
        {
            Death = death,
            CheckDeath = checkDeath,
        };
        _open.Add(session);
        using var team = new ComputeTeam(1);
        using var generator = new LocalGenerator(source, team);
        return (session, [.. generator.Generate(Prompt.AsMemory(), settings, tokenizer).OfType<GeneratedToken>().Select(token => token.Choice.Id)]);
    }

    /// <summary>Gives a value that is no number, and opens nothing in time.</summary>
    private sealed class NoNumber(TimeSpan delay) : IHopBehavior
    {
        public TimeSpan OpeningDelay => delay;

        public void Computed(HopOutput output) => output.Values.Span[0] = float.NaN;
    }
}
