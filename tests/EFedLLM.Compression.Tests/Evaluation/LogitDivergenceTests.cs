using CsCheck;
using EFedLLM.Compression.Evaluation;

namespace EFedLLM.Compression.Tests.Evaluation;

public class LogitDivergenceTests
{
    [Fact]
    public void The_divergence_is_the_sum_over_the_whole_vocabulary() =>
        Gen.Select(Gen.Float[-20, 20].Array[1, 40], Gen.Float[-3, 3].Array[40]).Sample((reference, noise) =>
        {
            var model = reference.Zip(noise, (logit, delta) => logit + delta).ToArray();
            var (p, q) = (Softmax(reference), Softmax(model));
            var expected = p.Zip(q, (a, b) => a * Math.Log(a / b)).Sum();
            Assert.Equal(expected, LogitDivergence.Kl(reference, model), 1e-12);
        });

    [Fact]
    public void Equal_logits_do_not_diverge_at_all() =>
        Gen.Float[-50, 50].Array[1, 40].Sample(logits => Assert.Equal(0, LogitDivergence.Kl(logits, logits)));

    [Fact]
    public void A_constant_on_all_logits_changes_nothing() =>
        Assert.Equal(0, LogitDivergence.Kl([1, 2, 3, 4, 5], [9, 10, 11, 12, 13]), 1e-15);

    [Fact]
    public void A_hand_computed_case()
    {
        // P = (3/4, 1/4), Q = (1/2, 1/2): 3/4 ln 3/2 + 1/4 ln 1/2.
        var expected = 0.75 * Math.Log(1.5) + 0.25 * Math.Log(0.5);
        Assert.Equal(expected, LogitDivergence.Kl([(float)Math.Log(3), 0], [0, 0]), 1e-7);
    }

    [Fact]
    public void Far_apart_logits_stay_finite() => Assert.Equal(2000, LogitDivergence.Kl([1000, -1000], [-1000, 1000]), 1e-9);

    [Fact]
    public void Logits_of_other_vocabularies_are_refused()
    {
        Assert.Throws<ArgumentException>(() => LogitDivergence.Kl([1, 2], [1, 2, 3]));
        Assert.Throws<ArgumentException>(() => LogitDivergence.Kl([], []));
    }

    [Fact]
    public void Of_equal_logits_the_first_is_the_most_likely() => Assert.Equal(1, LogitDivergence.Top([0, 2, 1, 2]));

    private static double[] Softmax(float[] logits)
    {
        var most = (double)logits.Max();
        var sum = logits.Sum(logit => Math.Exp(logit - most));
        return [.. logits.Select(logit => Math.Exp(logit - most) / sum)];
    }
}
