using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>What hops do with steps of which only the first token is known: the same as without, bit by bit, and they sign nothing that is not certain.</summary>
public sealed class DraftedStepTests(CheckedModel model) : IClassFixture<CheckedModel>, IDisposable
{
    private readonly CheckedCluster _cluster = new(model.Source);

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData(0f, 1)]
    [InlineData(0.9f, 2)]
    [InlineData(1.3f, 3)]
    public void Whatever_is_guessed_what_is_drawn_and_signed_is_the_same(float temperature, int seed)
    {
        var sampling = new SamplingSettings { Temperature = temperature, Seed = 5 };
        var stages = _cluster.AddRoute(1, 3);
        var plain = Prefilled(_cluster, stages, sampling);
        plain.Decode(45);
        plain.Seal();

        // Some guesses are right, some are not, and some that are right stand behind a wrong one.
        var random = new Random(seed);
        var drafted = Prefilled(_cluster, stages, sampling);
        while (drafted.Tokens.Count < plain.Tokens.Count)
        {
            var position = drafted.Tokens.Count - 1;
            var most = Math.Min(random.Next(0, 8), plain.Tokens.Count - drafted.Tokens.Count - 1);
            int[] drafts = [.. plain.Tokens.Skip(position + 1).Take(most).Select(token => random.Next(5) == 0 ? (token + 1) % 64 : token)];
            Step(drafted, position, [drafted.Tokens[^1], .. drafts]);
        }

        Assert.Equal(plain.Tokens, drafted.Tokens);
        foreach (var stage in stages)
        {
            _cluster.Tell(stage, new SealReceipts(drafted.Id, 1, drafted.Tokens.Count - 1));
        }

        _cluster.Run();
        Assert.Equal(3, _cluster.Of<ReceiptsSealed>(drafted.Id).Count(message => message.Length == drafted.Tokens.Count - 1));
        for (var hop = 0; hop < stages.Length; hop++)
        {
            Assert.Equal(plain.Receipts(hop).Select(Roots), drafted.Receipts(hop).Select(Roots));
            Assert.Empty(drafted.Wrong(hop, _cluster.Add(stages[hop].Range)));
        }
    }

    [Fact]
    public void Of_guesses_nothing_is_signed_before_the_next_step_shows_that_they_were_right()
    {
        var stages = _cluster.AddRoute(2);
        var plain = Prefilled(_cluster, stages, SamplingSettings.Greedy);
        plain.Decode(20);
        var drafted = Prefilled(_cluster, stages, SamplingSettings.Greedy);
        var position = drafted.Tokens.Count - 1;
        Feed(drafted, position, [.. plain.Tokens.Skip(position).Take(8)]);
        _cluster.Run();
        Assert.Empty(drafted.Receipts(0));

        // Nor where somebody asks for all that is certain.
        _cluster.Tell(stages[0], new SealReceipts(drafted.Id, 1));
        _cluster.Run();
        Assert.Equal((0, position + 1), Span(Assert.Single(drafted.Receipts(0))));
        Feed(drafted, position + 8, [plain.Tokens[position + 8]]);
        _cluster.Run();
        Assert.Equal((position + 1, 16 - position - 1), Span(drafted.Receipts(0).Last()));
    }

    [Fact]
    public void A_step_goes_back_no_further_than_into_guesses_and_what_comes_twice_is_passed_over()
    {
        var stages = _cluster.AddRoute(2);
        var served = Prefilled(_cluster, stages, SamplingSettings.Greedy);
        var position = served.Tokens.Count - 1;
        int[] tokens = [served.Tokens[^1], 5, 6, 7];
        Feed(served, position, tokens);
        _cluster.Run();
        foreach (var wrong in (int[])[position - 1, position, position + 5])
        {
            Feed(served, wrong, [9, 9]);
            _cluster.Run();
            Assert.Equal((wrong, position + 4), Last());
        }

        Feed(served, position + 2, [9, 9]);
        _cluster.Run();
        Assert.Equal(position + 3, _cluster.Of<TokenSampled>(served.Id).Last().Position);
        Feed(served, position + 2, [9, 9]);
        _cluster.Run();
        Assert.Equal((position + 2, position + 4), Last());

        (int, int) Last()
        {
            var rejected = _cluster.Of<StepRejected>(served.Id).Last();
            return (rejected.Position, rejected.KvLength);
        }
    }

    [Fact]
    public void A_repaired_route_has_nothing_of_guesses()
    {
        var stages = _cluster.AddRoute(2);
        var plain = Prefilled(_cluster, stages, SamplingSettings.Greedy);
        plain.Decode(20);
        var served = Prefilled(_cluster, stages, SamplingSettings.Greedy);
        var position = served.Tokens.Count - 1;
        Feed(served, position, [served.Tokens[^1], 60, 61, 62]);
        _cluster.Run();
        served.Take();
        served.Open(stages, 2);
        Assert.All(_cluster.Of<SessionOpened>(served.Id).TakeLast(2), opened => Assert.Equal(position + 1, opened.KvLength));
        _cluster.Tell(stages[0], new ResumeSession(served.Id, 2, [position + 1, position + 1], served.Tokens.Count));
        _cluster.Run();
        served.Decode(10);
        Assert.Equal(plain.Tokens.Take(served.Tokens.Count), served.Tokens);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(ProtocolLimits.Drafts + 2, true)]
    [InlineData(2, false)]
    public void A_step_with_too_many_guesses_or_none_or_without_a_draw_ends_the_session(int tokens, bool sample)
    {
        var stages = _cluster.AddRoute(2);
        var served = Prefilled(_cluster, stages, SamplingSettings.Greedy);
        _cluster.Tell(stages[0], new FeedTokens(served.Id, 1, served.Tokens.Count - 1, [.. Enumerable.Repeat(5, tokens)], sample, Drafted: true));
        _cluster.Run();
        Assert.Single(_cluster.Of<StepFailed>(served.Id));
    }

    private static CheckedCluster.Served Prefilled(CheckedCluster cluster, CheckedCluster.Stage[] stages, SamplingSettings sampling)
    {
        var served = cluster.Open(stages, sampling);
        served.Prefill([1, 3, 5, 7, 9, 11, 13, 15, 17, 19], 4);
        return served;
    }

    /// <summary>One step, of which as much counts as is what was drawn.</summary>
    private void Step(CheckedCluster.Served served, int position, int[] tokens)
    {
        Feed(served, position, tokens);
        _cluster.Run();
        var drawn = _cluster.Of<TokenSampled>(served.Id).Last();
        Assert.Equal((served.Tokens.Count, tokens.Length - 1), (drawn.Position, drawn.Further.Length));
        int[] choices = [drawn.Choice.Id, .. drawn.Further.Select(choice => choice.Id)];
        var right = 0;
        while (right < drawn.Further.Length && choices[right] == tokens[right + 1])
        {
            right++;
        }

        served.Tokens.AddRange(choices[..(right + 1)]);
    }

    private void Feed(CheckedCluster.Served served, int position, int[] tokens)
        => _cluster.Tell(served.Stages[0], new FeedTokens(served.Id, 1, position, [.. tokens], true, tokens.Length > 1));

    private static (int Position, int Rows) Span(SignedReceipt signed) => (signed.Receipt.Position, signed.Receipt.Rows);

    private static (int, int, Digest, Digest, Digest) Roots(SignedReceipt signed)
        => (signed.Receipt.Position, signed.Receipt.Rows, signed.Receipt.InRoot, signed.Receipt.OutRoot, signed.Receipt.KvRoot);
}
