using System.Collections.Immutable;
using EFedLLM.Actors.Auditing;
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

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>Twelve newcomers, four for each third of a model: what becomes of those that sign, open or forget what no honest device does.</summary>
public sealed class SignatureVerdictTests : IDisposable
{
    private static readonly ImmutableArray<int> Prompt = [1, 403, 407, 261, 378, 432, 10, 77, 300, 12, 45, 9, 260, 5, 17, 80, 81, 82, 83, 84];

    private static readonly SamplingSettings Sampling = new() { Temperature = 0.9f, Seed = 11 };

    private readonly List<IDisposable> _open = [];

    public void Dispose()
    {
        foreach (var each in _open)
        {
            each.Dispose();
        }
    }

    [SharedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Where_the_hop_before_has_forgotten_what_it_gave_an_honest_hop_opens_what_it_got(bool isStrict)
    {
        var (session, expected) = Start(number => number / 4 == 0 ? Saboteur.Parse("refuse-opening") : null, isStrict);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.All(session.Checks, check => Assert.Equal(CheckOutcome.Passed, check.Facts.Outcome));
        Assert.Equal(3 * (Prompt.Length + expected.Length - 1), session.Checks.Where(check => check.Facts.Role == TrustRole.Server).Sum(check => check.Tokens));
        Assert.Equal(0, session.Left);
    }

    [SharedTheory]
    [InlineData(1)]
    [InlineData(2)]
    public void Where_the_hop_before_has_forgotten_what_it_gave_a_liar_behind_it_is_found_all_the_same(int hop)
    {
        var (session, expected) = Start(
            number => number / 4 == hop - 1 ? Saboteur.Parse("refuse-opening") : number / 4 == hop && number % 4 < 3 ? Saboteur.Parse("sign-flip", 7) : null, isStrict: false);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        var liars = session.Devices.Where((_, number) => number / 4 == hop && number % 4 < 3).Select(device => device.Device).ToHashSet();
        Assert.NotEmpty(session.Accused(CheckOutcome.Hard));
        Assert.Subset(liars, session.Accused(CheckOutcome.Hard));
        Assert.Empty(session.Accused(CheckOutcome.Soft));
    }

    [SharedFact]
    public void Two_neighbours_that_lie_together_hide_nothing_by_forgetting_both()
    {
        // Of the second one nobody can tell what it got: so it is not believed, and the ledger hears why.
        var (session, expected) = Start(
            number => number / 4 == 0 ? Saboteur.Parse("refuse-opening") : number / 4 == 1 && number % 4 < 3 ? new Saboteur("special", new LiesAndForgets()) : null, isStrict: false);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.IsType<GenerationFinished>(session.Told[^1]);
        var liars = session.Devices.Where((_, number) => number / 4 == 1 && number % 4 < 3 && session.Served.Contains(session.Devices[number].Ref)).Select(device => device.Device).ToHashSet();
        Assert.NotEmpty(liars);
        Assert.Equal(liars, session.Accused(CheckOutcome.Soft));
        Assert.All(
            session.Checks.Where(check => check.Facts is { Outcome: CheckOutcome.Soft, Role: TrustRole.Server }),
            check => Assert.Equal("it does not open what it signed that it got.", check.Facts.Reason));
    }

    [SharedTheory]
    [InlineData(0, false)]
    [InlineData(2, true)]
    public async Task Who_opens_other_rows_than_it_signed_is_convicted_by_its_own_signatures(int hop, bool isAskedForWhatItGot)
    {
        var (session, expected) = Start(
            number => number / 4 == hop && number % 4 < 3 ? new Saboteur("special", new OpensAnother()) : isAskedForWhatItGot && number / 4 == hop - 1 ? Saboteur.Parse("refuse-opening") : null,
            isStrict: false, through: 4 * hop);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        var convicted = session.Checks.Where(check => check.Facts.Outcome == CheckOutcome.Hard).ToArray();
        Assert.NotEmpty(convicted);
        Assert.All(convicted, check => Assert.Equal(
            isAskedForWhatItGot ? "it opens something else than it signed that it got." : "it opens something else than it signed that it gave.", check.Facts.Reason));
        await HoldsAsync(session, convicted, SignatureFault.OpenedOtherwise);
    }

    [SharedTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Who_signs_two_receipts_of_one_unit_is_convicted_by_both(int hop)
    {
        var (session, expected) = Start(_ => null, isStrict: false, through: 4 * hop, isEquivocating: true);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        var convicted = session.Checks.Single(check => check.Facts.Outcome == CheckOutcome.Hard);
        Assert.Equal((session.Devices[4 * hop].Device, "it signed two different receipts of the same unit."), (convicted.Device, convicted.Facts.Reason));
        await HoldsAsync(session, [convicted], SignatureFault.TwoReceipts);
    }

    [SharedFact]
    public async Task Two_that_sign_different_things_about_one_message_are_held_to_it()
    {
        var (session, expected) = Start(number => number / 4 == 0 && number % 4 < 3 ? Saboteur.Parse("sign-one-send-another", 7) : null, isStrict: false, through: 0);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        var accused = session.Checks.Where(check => check.Facts.Outcome == CheckOutcome.Soft).ToArray();
        Assert.NotEmpty(accused);
        foreach (var check in accused)
        {
            var proof = SignatureProof.Read(session.Proofs[check.Facts.Proof]);
            Assert.Equal(SignatureFault.Contradiction, proof.Fault);
            Assert.Contains(check.Device, proof.Receipts.Select(signed => signed.Receipt.Device));
            Assert.Equal(ReplayResult.Holds, (await ProofReplay.ReplayAsync(session.Proofs[check.Facts.Proof], [], 1, 0, CancellationToken.None)).Result);
        }
    }

    [SharedTheory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Who_gives_what_is_no_number_is_held_to_the_row_that_it_opens(int hop)
    {
        var (session, expected) = Start(number => number / 4 == hop && number % 4 < 3 ? new Saboteur("special", new NoNumber()) : null, isStrict: false, through: 4 * hop);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        var accused = session.Checks.Where(check => check.Facts.Outcome == CheckOutcome.Soft).ToArray();
        Assert.NotEmpty(accused);
        await HoldsAsync(session, accused, SignatureFault.Unsound);
    }

    [SharedFact]
    public void A_head_whose_logits_are_no_numbers_is_named_and_nobody_beside_it()
    {
        var (session, expected) = Start(number => number / 4 == 2 && number % 4 < 3 ? new Saboteur("special", new NoNumber()) : null, isStrict: false, through: 8);
        session.Run();
        Assert.Equal(expected, session.Tokens);
        Assert.IsType<GenerationFinished>(session.Told[^1]);
        var liars = session.Devices.Where((_, number) => number / 4 == 2 && number % 4 < 3 && session.Served.Contains(session.Devices[number].Ref)).Select(device => device.Device).ToHashSet();
        Assert.NotEmpty(liars);
        Assert.Equal(liars, session.Accused(CheckOutcome.Soft));
        Assert.All(session.Checks.Where(check => check.Facts.Outcome == CheckOutcome.Soft), check => Assert.Equal("what it computed is not finite.", check.Facts.Reason));
        Assert.Empty(session.Accused(CheckOutcome.Hard));
    }

    private static async Task HoldsAsync(AuditedSession session, IEnumerable<ReportCheck> verdicts, SignatureFault fault)
    {
        foreach (var check in verdicts)
        {
            var bytes = session.Proofs[check.Facts.Proof];
            Assert.Equal((fault, check.Device), (SignatureProof.Read(bytes).Fault, SignatureProof.Read(bytes).Device));
            var outcome = await ProofReplay.ReplayAsync(bytes, [], 1, 0, CancellationToken.None);
            Assert.True(outcome.Result == ReplayResult.Holds, outcome.Text);
            Assert.Contains(check.Device.Short, outcome.Text, StringComparison.Ordinal);
        }
    }

    private (AuditedSession Session, int[] Expected) Start(Func<int, Saboteur?> saboteur, bool isStrict, int? through = null, bool isEquivocating = false)
    {
        var source = ModelFolder.Open(SharedModels.Model("stories260K"));
        _open.Add(source);
        var tokenizer = ModelTokenizer.Load(source.Folder);
        var settings = new GenerationSettings { MaxTokens = 40, IgnoreEndTokens = true, Sampling = Sampling };
        LayerRange[] ranges = [new(0, 3), new(3, 5), new(5, 7)];
        var session = new AuditedSession(
            source,
            Facts.Model('a', "tiny", source.Shape.Layers) with { Model = TestSessions.Model, HiddenSize = source.Shape.HiddenSize },
            [.. Enumerable.Range(0, 12).Select(number => (ranges[number / 4], saboteur(number)))],
            Prompt, settings, TestLimits.Reference with { PromptChunk = 7 }, new AnswerText(tokenizer, settings, source.Shape.EndTokens), 7, isStrict, through: through)
        {
            Equivocator = isEquivocating ? through : null,
        };
        _open.Add(session);
        using var team = new ComputeTeam(1);
        using var generator = new LocalGenerator(source, team);
        return (session, [.. generator.Generate(Prompt.AsMemory(), settings, tokenizer).OfType<GeneratedToken>().Select(token => token.Choice.Id)]);
    }

    /// <summary>Computes wrongly, and opens nothing.</summary>
    private sealed class LiesAndForgets : IHopBehavior
    {
        public TimeSpan OpeningDelay => Timeout.InfiniteTimeSpan;

        public void Computed(HopOutput output) => output.Values.Span[0] += 1;
    }

    /// <summary>Computes rightly, and opens something else.</summary>
    private sealed class OpensAnother : IHopBehavior
    {
        public ReadOnlyMemory<float> Opened(ReadOnlyMemory<float> rows, int count)
        {
            var other = rows.ToArray();
            other[^1] += 1;
            return other;
        }
    }

    /// <summary>Gives a value that is no number.</summary>
    private sealed class NoNumber : IHopBehavior
    {
        public void Computed(HopOutput output) => output.Values.Span[0] = float.NaN;
    }
}
