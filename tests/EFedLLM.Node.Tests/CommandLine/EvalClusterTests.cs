using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Node.Tests.CommandLine;

public class EvalClusterTests
{
    private static readonly TokenChoice[] Expected = [new(3, -0.5f, [new(3, -0.5f), new(4, -1.25f)]), new(7, -0.1f, [new(7, -0.1f), new(1, -3f)])];

    [Theory]
    [InlineData(4096, 256)]
    [InlineData(300, 256)]
    [InlineData(1, 256)]
    [InlineData(40, 1)]
    [InlineData(1000, 10)]
    public void Places_lie_all_over_the_text_and_are_beginnings_of_chunks(int length, int chunk)
    {
        var tokens = Enumerable.Range(100, length).ToArray();
        var prompts = EvalCluster.Prompts(tokens, 5, chunk);
        Assert.Equal(16, prompts.Count);
        foreach (var prompt in prompts)
        {
            Assert.Equal(5, prompt[0]);
            Assert.InRange(prompt.Length, 1, chunk);
            var first = prompt.Length > 1 ? prompt[1] - 100 : 0;
            Assert.Equal(0, first % chunk);
            Assert.Equal(tokens.Skip(first).Take(prompt.Length - 1), prompt.Skip(1));
        }

        Assert.True(length < 2 * chunk || prompts[^1].Length < 2 || prompts[^1][1] - 100 >= length / 2);
    }

    [Fact]
    public void The_same_bits_are_the_same() => EvalCluster.Compare(Expected, Events(Expected));

    [Fact]
    public void A_token_a_probability_an_alternative_or_an_end_that_differs_is_told()
    {
        Assert.All(
            [
                Expected[1] with { Id = 8 },
                Expected[1] with { Logprob = MathF.BitIncrement(-0.1f) },
                Expected[1] with { Top = [new(7, -0.1f), new(2, -3f)] },
                Expected[1] with { Top = [new(7, -0.1f)] },
            ],
            choice => Assert.Throws<UserErrorException>(() => EvalCluster.Compare(Expected, Events([Expected[0], choice]))));
        Assert.Throws<UserErrorException>(() => EvalCluster.Compare(Expected, Events(Expected[..1])));
    }

    private static IReadOnlyList<TokenEvent> Events(IReadOnlyList<TokenChoice> choices) =>
        [.. choices.Select((choice, index) => new TokenEvent(index, choice.Id, choice.Logprob, [.. choice.Top.Select(top => new TopLogprob(top.Id, top.Logprob))], ""))];
}
