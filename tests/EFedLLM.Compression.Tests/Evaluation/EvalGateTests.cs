using EFedLLM.Compression.Evaluation;

namespace EFedLLM.Compression.Tests.Evaluation;

public class EvalGateTests
{
    private static readonly ModelEvaluation Reference = new("float", 32, 4000)
    {
        IsReference = true,
        Scores = new ModelScores(100, 2, 10, 0, 0, 1),
        Classification = new ClassificationScores(200, 160, 0.4),
    };

    private static readonly ModelEvaluation Model = new("small", 6.25, 800)
    {
        Scores = new ModelScores(100, 2.02, 10.2, 0.02, 0.3, 0.97),
        Classification = new ClassificationScores(200, 157, 0.42),
    };

    [Theory]
    [InlineData("max-ppl=2.1%")]
    [InlineData("max-ppl=10.2")]
    [InlineData("max-kl=0.02")]
    [InlineData("max-kl=2e-2")]
    [InlineData("max-p99-kl=0.3")]
    [InlineData("min-top1=97%")]
    [InlineData("min-top1=0.97")]
    [InlineData("max-bits=6.25")]
    [InlineData("max-accuracy-loss=1.6")]
    [InlineData("max-accuracy-loss = 1.6 %")]
    [InlineData("max-kl=1, min-top1=50%,")]
    public void A_limit_that_is_kept_says_nothing(string gate) => Assert.Empty(EvalGate.Parse(gate).Broken(Model, Reference));

    [Theory]
    [InlineData("max-ppl=1.9%", "small: the perplexity is 2 % above the reference's; max-ppl allows 1.9 %.")]
    [InlineData("max-ppl=10.1", "small: the perplexity is 10.2; max-ppl allows 10.1.")]
    [InlineData("max-kl=0.01", "small: the mean KL divergence is 0.02; max-kl allows 0.01.")]
    [InlineData("max-p99-kl=0.29", "small: the 99th percentile of the KL divergence is 0.3; max-p99-kl allows 0.29.")]
    [InlineData("min-top1=98%", "small: the most likely token is the reference's at 97 % of the positions; min-top1 allows 98 %.")]
    [InlineData("max-bits=6.2", "small: a weight takes 6.25 bits; max-bits allows 6.2.")]
    [InlineData("max-accuracy-loss=1", "small: the accuracy is 1.5 points below the reference's; max-accuracy-loss allows 1.")]
    public void A_limit_that_is_broken_says_by_what(string gate, string expected) => Assert.Equal([expected], EvalGate.Parse(gate).Broken(Model, Reference));

    [Fact]
    public void Each_broken_limit_has_its_sentence() =>
        Assert.Equal(2, EvalGate.Parse("max-kl=0.01,max-bits=9,min-top1=99%").Broken(Model, Reference).Count);

    [Fact]
    public void What_is_no_number_or_was_not_measured_breaks_the_limit()
    {
        var broken = Model with { Scores = Model.Scores! with { MeanKl = double.NaN } };
        Assert.Single(EvalGate.Parse("max-kl=1").Broken(broken, Reference));
        Assert.Contains("not measured", Assert.Single(EvalGate.Parse("max-kl=1").Broken(Model with { Scores = null }, Reference)), StringComparison.Ordinal);
        Assert.Single(EvalGate.Parse("max-ppl=5%").Broken(Model, null));
        Assert.Single(EvalGate.Parse("max-accuracy-loss=5").Broken(Model, Reference with { Classification = null }));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" , ")]
    [InlineData("max-kl")]
    [InlineData("max-kl=")]
    [InlineData("max-kl=x")]
    [InlineData("max-kl=-1")]
    [InlineData("max-kl=NaN")]
    [InlineData("max-kl=1e999")]
    [InlineData("max-kl=1%")]
    [InlineData("max-bits=5%")]
    [InlineData("min-top1=98")]
    [InlineData("min-top1=101%")]
    [InlineData("max-ppl=1%,max-ppl=2%")]
    [InlineData("max-ppl=1,5%")]
    public void What_makes_no_sense_is_refused(string gate) => Assert.Throws<ArgumentException>(() => EvalGate.Parse(gate));

    [Fact]
    public void An_unknown_limit_is_answered_with_those_that_there_are()
    {
        var message = Assert.Throws<ArgumentException>(() => EvalGate.Parse("max-ppl=1%,max-loss=2%")).Message;
        Assert.Contains("\"max-loss\"", message, StringComparison.Ordinal);
        Assert.All(EvalGate.Keys, known => Assert.Contains(known.Key, message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_gate_that_never_ends_is_refused() => Assert.Throws<ArgumentException>(() => EvalGate.Parse(new string('a', 100_000)));
}
