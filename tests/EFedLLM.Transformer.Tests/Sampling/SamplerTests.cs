using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tests.Kernels;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Sampling;

public sealed class SamplerTests
{
    private const int Draws = 40_000;
    private static readonly float[] Logits = [1f, 3f, -2f, 2.5f, 3f, 0f, -50f, 2f];
    private readonly Sampler _sampler = new();

    public static TheoryData<VectorWidth> Narrower => VectorWidthProcesses.Narrower;

    [Fact]
    public void Greedy_takes_the_most_likely_token_and_the_lowest_id_on_a_tie()
    {
        Assert.Equal(1, _sampler.Draw(Logits, SamplingSettings.Greedy, 0).Id);
        Assert.Equal(0, _sampler.Draw([-0f, 0f, -1f], SamplingSettings.Greedy, 0).Id);
        Assert.Equal(2, _sampler.Draw([-7f, -6f, -5.5f], SamplingSettings.Greedy, 0).Id);
        Assert.Equal(0, _sampler.Draw([float.MinValue], SamplingSettings.Greedy, 0).Id);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(0.3f)]
    [InlineData(2f)]
    public void The_logprob_is_the_model_s_own_whatever_the_temperature(float temperature)
    {
        var logSum = Math.Log(Logits.Sum(logit => Math.Exp(logit)));
        for (var position = 0; position < 100; position++)
        {
            var choice = _sampler.Draw(Logits, new SamplingSettings { Temperature = temperature, TopK = 5 }, position);
            Assert.Equal(Logits[choice.Id] - logSum, choice.Logprob, 1e-6);
            Assert.True(choice.Top.IsEmpty);
        }
    }

    [Theory]
    [InlineData(1f, 1f, 0)]
    [InlineData(0.5f, 1f, 0)]
    [InlineData(2f, 1f, 3)]
    [InlineData(1f, 0.7f, 0)]
    [InlineData(1f, 0.9f, 4)]
    [InlineData(1.5f, 0.01f, 0)]
    [InlineData(1f, 1f, 1)]
    [InlineData(1f, 0.999f, 100)]
    public void Tokens_come_as_often_as_the_settings_say(float temperature, float topP, int topK)
    {
        var settings = new SamplingSettings { Temperature = temperature, TopP = topP, TopK = topK, Seed = 77 };
        var counts = new int[Logits.Length];
        for (var position = 0; position < Draws; position++)
        {
            counts[_sampler.Draw(Logits, settings, position).Id]++;
        }

        var expected = Expected(temperature, topP, topK);
        for (var id = 0; id < counts.Length; id++)
        {
            // Five standard deviations of a binomial count.
            var deviation = Math.Sqrt(Draws * expected[id] * (1 - expected[id]));
            Assert.True(Math.Abs(counts[id] - Draws * expected[id]) <= 5 * deviation + 1e-9, $"token {id}: {counts[id]} instead of {Draws * expected[id]}");
        }
    }

    [Fact]
    public void The_same_seed_and_position_draw_the_same_and_others_do_not()
    {
        var settings = new SamplingSettings { Temperature = 2, Seed = 5 };
        int[] first = [.. Enumerable.Range(0, 50).Select(position => _sampler.Draw(Logits, settings, position).Id)];
        var other = new Sampler();

        Assert.Equal(first, Enumerable.Range(0, 50).Reverse().Select(position => other.Draw(Logits, settings, position).Id).Reverse());
        Assert.NotEqual(first, Enumerable.Range(1, 50).Select(position => other.Draw(Logits, settings, position).Id));
        Assert.NotEqual(first, Enumerable.Range(0, 50).Select(position => other.Draw(Logits, settings with { Seed = 6 }, position).Id));
    }

    [Fact]
    public void Random_numbers_are_those_of_SplitMix64()
    {
        // The published generator, seeded with 1234567, begins 6457827717110365317, 3203168211198807973, 9817491932198370423.
        // A seed that mixes to 1234567 is found by undoing the mix.
        const ulong Gamma = 0x9E3779B97F4A7C15;
        var seed = unchecked(Unmix(1234567) - Gamma);

        Assert.Equal((6457827717110365317UL >> 11) * Math.Pow(2, -53), CounterRandom.Unit(seed, 0));
        Assert.Equal((3203168211198807973UL >> 11) * Math.Pow(2, -53), CounterRandom.Unit(seed, 1));
        Assert.Equal((9817491932198370423UL >> 11) * Math.Pow(2, -53), CounterRandom.Unit(seed, 2));
    }

    [Fact]
    public void The_most_likely_tokens_are_reported_best_first()
    {
        var logSum = Math.Log(Logits.Sum(logit => Math.Exp(logit)));
        foreach (var count in new[] { 1, 3, 8, 20 })
        {
            var top = _sampler.Draw(Logits, new SamplingSettings { TopLogprobs = count }, 0).Top;
            Assert.Equal(new[] { 1, 4, 3, 7, 0, 5, 2, 6 }.Take(count), top.Select(token => token.Id));
            Assert.All(top, token => Assert.Equal(Logits[token.Id] - logSum, token.Logprob, 1e-5));
        }
    }

    [Fact]
    public void The_best_are_taken_in_order_from_any_logits()
    {
        foreach (var (kind, logits) in AdversarialFloats.All(300, seed: 51))
        {
            var expected = Enumerable.Range(0, 300).OrderByDescending(id => logits[id]).ThenBy(id => id).ToArray();
            foreach (var count in new[] { 1, 2, 20, 299, 300 })
            {
                var best = new ulong[count];
                TokenOrder.TakeBest(logits, best);
                Assert.True(expected[..count].SequenceEqual(best.Select(TokenOrder.Id)), $"{count} of {kind}");
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_logit_that_is_not_finite_is_refused(float bad)
    {
        foreach (var settings in new[] { SamplingSettings.Greedy, new SamplingSettings { Temperature = 1, TopP = 0.5f } })
        {
            Assert.Throws<ArithmeticException>(() => _sampler.Draw([1, 2, bad], settings, 0));
        }
    }

    [Fact]
    public void Finite_logits_of_any_size_draw_a_token_with_a_sane_logprob()
    {
        foreach (var (kind, logits) in AdversarialFloats.All(70, seed: 52))
        {
            foreach (var temperature in new[] { 0f, float.Epsilon, 1e-3f, 1f, 2f })
            {
                foreach (var topP in new[] { float.Epsilon, 0.5f, 0.9999999f, 1f })
                {
                    var choice = _sampler.Draw(logits, new SamplingSettings { Temperature = temperature, TopP = topP, TopLogprobs = 3 }, 9);
                    Assert.InRange(choice.Id, 0, 69);
                    Assert.False(float.IsNaN(choice.Logprob) || choice.Logprob > 1e-6f, kind);
                    Assert.Equal(3, choice.Top.Length);
                }
            }
        }
    }

    [Fact]
    public void Settings_out_of_bounds_are_refused()
    {
        foreach (var settings in new SamplingSettings[]
        {
            new() { Temperature = -0.1f }, new() { Temperature = 2.1f }, new() { Temperature = float.NaN }, new() { TopP = 0 }, new() { TopP = 1.1f },
            new() { TopP = float.NaN }, new() { TopK = -1 }, new() { TopLogprobs = 21 }, new() { TopLogprobs = -1 },
        })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => _sampler.Draw(Logits, settings, 0));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => _sampler.Draw(Logits, SamplingSettings.Greedy, -1));
        Assert.Throws<ArgumentException>(() => _sampler.Draw([], SamplingSettings.Greedy, 0));
    }

    [Fact]
    public void A_draw_allocates_nothing()
    {
        var settings = new[] { SamplingSettings.Greedy, new SamplingSettings { Temperature = 1, TopP = 0.9f }, new SamplingSettings { Temperature = 1, TopK = 3 } };
        Draw();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Draw();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Draw()
        {
            for (var i = 0; i < 30; i++)
            {
                _sampler.Draw(Logits, settings[i % 3], i);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Narrower))]
    public async Task A_processor_without_wide_registers_draws_the_same(VectorWidth width)
    {
        var hashes = await VectorWidthProcesses.HashAsync(width, typeof(DrawDigest));

        Assert.Equal([BitResults.Hash(new DrawDigest())], hashes);
    }

    private static double[] Expected(float temperature, float topP, int topK)
    {
        var order = Enumerable.Range(0, Logits.Length).OrderByDescending(id => Logits[id]).ThenBy(id => id).Take(topK == 0 ? Logits.Length : topK).ToList();
        var weights = order.Select(id => Math.Exp(Logits[id] / temperature)).ToArray();
        var (kept, sum) = (0, 0.0);
        while (kept < order.Count && sum < topP * weights.Sum() - 1e-12)
        {
            sum += weights[kept++];
        }

        var result = new double[Logits.Length];
        for (var i = 0; i < kept; i++)
        {
            result[order[i]] = weights[i] / sum;
        }

        return result;
    }

    /// <summary>The inverse of SplitMix64's mixing function: each xor-shift and each odd factor can be undone.</summary>
    private static ulong Unmix(ulong z)
    {
        unchecked
        {
            z = UndoShift(z, 31) * Inverse(0x94D049BB133111EB);
            z = UndoShift(z, 27) * Inverse(0xBF58476D1CE4E5B9);
            return UndoShift(z, 30);
        }

        static ulong UndoShift(ulong value, int shift) => value ^ (value >> shift) ^ (2 * shift < 64 ? value >> (2 * shift) : 0);

        static ulong Inverse(ulong odd)
        {
            // Newton's iteration doubles the right bits.
            var inverse = odd;
            for (var i = 0; i < 6; i++)
            {
                inverse = unchecked(inverse * (2 - odd * inverse));
            }

            return inverse;
        }
    }

    /// <summary>Draws from random and adversarial logits.</summary>
    private sealed class DrawDigest : IBitDigest
    {
        public void Compute(BitResults results)
        {
            var sampler = new Sampler();
            foreach (var (_, logits) in AdversarialFloats.All(333, seed: 53))
            {
                for (var position = 0; position < 60; position++)
                {
                    var settings = new SamplingSettings { Temperature = position % 3, TopP = position % 2 == 0 ? 1 : 0.8f, TopK = position % 5 * 10, TopLogprobs = 4 };
                    var choice = sampler.Draw(logits, settings, position);
                    results.Add(choice.Id);
                    results.Add(choice.Logprob);
                    results.Add(choice.Top.AsSpan());
                }
            }
        }
    }
}
