using System.Collections.Immutable;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>An answer with its receipts: it can be checked later, and nobody changes it without that being found.</summary>
public sealed class SignedAnswerTests : IDisposable
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
    [InlineData(true, 3)]
    [InlineData(false, 3)]
    [InlineData(true, 1)]
    public void An_honest_answer_s_receipts_hold_and_all_of_it_comes_out_again(bool isStrict, int hops)
    {
        var session = Run(isStrict, hops);
        var answer = AnswerOf(session);
        Assert.Equal(hops, answer.Hops.Length);
        Assert.Null(AnswerRules.Problem(answer));
        var outcome = Replay(answer);
        Assert.True(outcome.Result == ReplayResult.Holds, outcome.Text);
        if (isStrict)
        {
            Assert.All(session.Told.OfType<HopSigned>(), hop => Assert.Equal((answer.Positions, AuditedSession.Gateway), (hop.CheckedTo, hop.CheckedBy.Single())));
        }
    }

    [SharedFact]
    public void An_answer_whose_hop_was_replaced_holds_too()
    {
        // One of the four is the head that serves.
        var replaced = 0;
        for (var device = 8; device < 12; device++)
        {
            var answer = AnswerOf(Run(isStrict: false, 3, death: (3, device), tier: TrustTier.Full));
            Assert.Null(AnswerRules.Problem(answer));
            var outcome = Replay(answer);
            Assert.True(outcome.Result == ReplayResult.Holds, outcome.Text);
            replaced += answer.Hops[2].Units.Any(signed => signed.Receipt.Epoch > 1) ? 1 : 0;
        }

        Assert.True(replaced > 0, "No device that serves ever dies.");
    }

    [SharedFact]
    public void A_lie_that_nobody_checked_is_found_later()
    {
        // Of devices with a full standing little is checked: of many sessions some are not checked at all.
        for (var seed = 1; ; seed++)
        {
            Assert.True(seed < 50, "Every lie is found at once.");
            var session = Run(isStrict: false, 3, liar: 1, tier: TrustTier.Full, seed: seed);
            if (session.Checks.Any(check => check.Facts.Outcome != CheckOutcome.Passed) || session.Told[^1] is not GenerationFinished { Receipts: var root } || root == default)
            {
                continue;
            }

            var answer = AnswerOf(session);
            Assert.Null(AnswerRules.Problem(answer));
            var outcome = Replay(answer);
            Assert.Equal(ReplayResult.DoesNotHold, outcome.Result);
            Assert.Contains(answer.Hops[1].Units[0].Receipt.Device.Short, outcome.Text, StringComparison.Ordinal);
            return;
        }
    }

    [SharedFact]
    public void Whatever_is_changed_of_it_is_found_by_the_signatures_alone()
    {
        var answer = AnswerOf(Run(isStrict: true, 3));
        using var other = DeviceKey.Create();
        var (first, last) = (answer.Hops[0], answer.Hops[2]);
        var unit = first.Units[1];
        Assert.All<SignedAnswer>(
            [
                answer with { Tokens = answer.Tokens.SetItem(3, answer.Tokens[3] ^ 1) },
                answer with { Tokens = answer.Tokens.SetItem(answer.Tokens.Length - 1, answer.Tokens[^1] ^ 1) },
                answer with { Tokens = answer.Tokens[..^1], Logprobs = answer.Logprobs[..^1] },
                answer with { Tokens = answer.Tokens[..^1] },
                answer with { Logprobs = answer.Logprobs.SetItem(2, answer.Logprobs[2] + 0.001f) },
                answer with { PromptTokens = answer.PromptTokens.SetItem(0, 2) },
                answer with { PromptTokens = [] },
                answer with { Terms = answer.Terms with { Session = SessionId.New() } },
                answer with { Terms = answer.Terms with { Cluster = ClusterId.WithoutTls("efedllm") } },
                answer with { Terms = answer.Terms with { Commitment = Digest.Of([1]) } },
                answer with { Terms = answer.Terms with { Model = new ModelId(new string('b', 64)) } },
                answer with { Root = Digest.Of([1]) },
                answer with { Terms = answer.Terms with { Sampling = new SamplingSettings { Temperature = 3 } } },
                answer with { Terms = answer.Terms with { Sampling = Sampling with { Seed = 12 } } },
                answer with { Hops = [] },
                answer with { Hops = answer.Hops[1..] },
                answer with { Hops = answer.Hops.RemoveAt(1) },
                answer with { Hops = answer.Hops.SetItem(0, first with { PublicKey = other.PublicKey }) },
                answer with { Hops = answer.Hops.SetItem(0, first with { Units = first.Units.RemoveAt(0) }) },
                answer with { Hops = answer.Hops.SetItem(0, first with { Units = first.Units[..^1] }) },
                answer with { Hops = answer.Hops.SetItem(2, last with { Units = last.Units.SetItem(0, last.Units[1]) }) },
                answer with { Hops = answer.Hops.SetItem(0, first with { Units = first.Units.SetItem(1, unit with { Receipt = unit.Receipt with { OutRoot = Digest.Of([1]) } }) }) },
                answer with { Hops = answer.Hops.SetItem(0, first with { Units = first.Units.SetItem(1, unit with { Receipt = unit.Receipt with { Epoch = 2 } }) }) },
                answer with { Hops = answer.Hops.SetItem(0, first with { Units = first.Units.SetItem(1, unit with { Signature = unit.Signature.SetItem(5, (byte)(unit.Signature[5] ^ 1)) }) }) },
            ],
            changed => Assert.NotNull(AnswerRules.Problem(changed)));
        Assert.Contains("other terms", AnswerRules.Problem(answer with { Terms = answer.Terms with { Sampling = Sampling with { Seed = 12 } } }), StringComparison.Ordinal);
        Assert.Contains("cluster", AnswerRules.Problem(answer with { Terms = answer.Terms with { Cluster = ClusterId.WithoutTls("efedllm") } }), StringComparison.Ordinal);
    }

    [SharedTheory]
    [InlineData(0, true, "got other tokens")]
    [InlineData(1, true, "different things")]
    [InlineData(0, false, "different things")]
    [InlineData(2, false, "drew other tokens")]
    public void A_device_that_signs_something_else_is_found_though_its_signatures_are_its_own(int hop, bool isInput, string problem)
    {
        var answer = AnswerOf(Run(isStrict: true, 3));
        using var key = DeviceKey.Create();
        var units = ImmutableArray.CreateBuilder<SignedReceipt>();
        foreach (var receipt in answer.Hops[hop].Units.Select(signed => signed.Receipt))
        {
            var root = receipt.Position == 16 ? Digest.Of([1]) : isInput ? receipt.InRoot : receipt.OutRoot;
            var other = receipt with { Device = key.Device, Previous = ReceiptChain.Previous(units.LastOrDefault()?.Receipt, receipt.Epoch, answer.Terms.Hash) };
            other = isInput ? other with { InRoot = root } : other with { OutRoot = root };
            units.Add(new SignedReceipt(other, [.. key.Sign(other.ToStatement())]));
        }

        var hops = answer.Hops.SetItem(hop, answer.Hops[hop] with { PublicKey = key.PublicKey, Units = units.ToImmutable() });
        var changed = answer with { Hops = hops, Root = AnswerRules.Root(hops.Select(each => each.Units)) };
        Assert.Contains(problem, AnswerRules.Problem(changed), StringComparison.Ordinal);
    }

    [SharedFact]
    public async Task Without_the_model_s_files_only_the_signatures_can_be_told()
    {
        var answer = AnswerOf(Run(isStrict: true, 3));
        var outcome = await AnswerReplay.VerifyAsync(answer, [SharedModels.Model("stories260K")], 1, long.MaxValue, CancellationToken.None);
        Assert.Equal(ReplayResult.CannotTell, outcome.Result);
        Assert.Contains("signed as it should be", outcome.Text, StringComparison.Ordinal);
        Assert.Equal(ReplayResult.DoesNotHold, (await AnswerReplay.VerifyAsync(answer with { Root = default }, [], 1, long.MaxValue, CancellationToken.None)).Result);

        // Whole as it is, it is of another cluster than the one that is meant.
        var foreign = await AnswerReplay.VerifyAsync(answer, [], 1, long.MaxValue, CancellationToken.None, ClusterId.WithoutTls("efedllm"));
        Assert.Equal(ReplayResult.DoesNotHold, foreign.Result);
        Assert.Contains("it is of cluster", foreign.Text, StringComparison.Ordinal);
    }

    private static SignedAnswer AnswerOf(AuditedSession session)
    {
        var started = session.Told.OfType<GenerationStarted>().Single();
        var tokens = session.Told.OfType<TokenGenerated>().Select(token => token.Choice).ToArray();
        var finished = Assert.IsType<GenerationFinished>(session.Told[^1]);
        return new SignedAnswer(
            new SessionTerms(default, started.Session, TestSessions.Model, Sampling, session.Told.OfType<HopSigned>().First().Commitment),
            started.PromptTokens, [.. tokens.Select(token => token.Id)], [.. tokens.Select(token => token.Logprob)],
            [.. session.Told.OfType<HopSigned>().Select(hop => new SignedHop(hop.Units[0].Receipt.Range, hop.PublicKey, hop.Units))],
            finished.Receipts);
    }

    private static ReplayOutcome Replay(SignedAnswer answer)
    {
        using var source = ModelFolder.Open(SharedModels.Model("stories260K"));
        using var named = new NamedSource(source, TestSessions.Model);
        return AnswerReplay.Replay(answer, named, 1, long.MaxValue, default);
    }

    private AuditedSession Run(bool isStrict, int hops, (int, int)? death = null, int? liar = null, TrustTier? tier = null, int seed = 7)
    {
        var source = ModelFolder.Open(SharedModels.Model("stories260K"));
        _open.Add(source);
        var tokenizer = ModelTokenizer.Load(source.Folder);
        var settings = new GenerationSettings { MaxTokens = 40, IgnoreEndTokens = true, Sampling = Sampling };
        LayerRange[] ranges = hops == 1 ? [new(0, 7)] : [new(0, 3), new(3, 5), new(5, 7)];
        var session = new AuditedSession(
            source,
            Facts.Model('a', "tiny", source.Shape.Layers) with { Model = TestSessions.Model, HiddenSize = source.Shape.HiddenSize },
            [.. Enumerable.Range(0, 4 * hops).Select(number => (ranges[number / 4], number / 4 == liar ? Saboteur.Parse("sign-flip", seed) : null))],
            Prompt, settings, TestLimits.Reference with { PromptChunk = 7 }, new AnswerText(tokenizer, settings, source.Shape.EndTokens), seed, isStrict, standing: (_, device) => tier is { } known ? new DeviceStanding(device, known, known, 0, 1, AuditedSession.Self) : null)
        {
            Death = death,
        };
        _open.Add(session);
        session.Run();
        return session;
    }
}
