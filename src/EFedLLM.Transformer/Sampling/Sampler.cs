using System.Collections.Immutable;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Sampling;

/// <summary>Draws tokens from logits. Owns scratch memory: one per computing thread of control.</summary>
public sealed class Sampler
{
    /// <summary>Most tokens that can be reported with each token.</summary>
    public const int MostTopLogprobs = 20;

    private float[] _weights = []; // [vocabulary]: exponentials of (tempered) logits
    private ulong[] _order = []; // [vocabulary]: keys of TokenOrder

    /// <summary>Draws the token at <paramref name="position"/>.</summary>
    /// <param name="logits">[vocabulary].</param>
    /// <param name="settings">How to draw.</param>
    /// <param name="position">The position the drawn token will take in its session; together with the seed it fixes the random number.</param>
    /// <exception cref="ArithmeticException">A logit is NaN or infinite.</exception>
    /// <exception cref="ArgumentException">There are no logits, the position is negative, or a setting is out of its bounds.</exception>
    public TokenChoice Draw(ReadOnlySpan<float> logits, SamplingSettings settings, int position)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        Check(logits, settings);
        var logSum = LogSum(logits);
        var id = settings.Temperature == 0 ? Best(logits) : DrawTempered(logits, settings, CounterRandom.Unit(settings.Seed, position));
        return new TokenChoice(id, (float)(logits[id] - logSum), Top(logits, settings.TopLogprobs, logSum));
    }

    /// <summary>Says how likely a token was that is there already.</summary>
    /// <param name="logits">[vocabulary].</param>
    /// <param name="id">The token.</param>
    /// <param name="settings">How many of the most likely tokens are reported beside it; nothing else of it matters.</param>
    /// <exception cref="ArithmeticException">A logit is NaN or infinite.</exception>
    /// <exception cref="ArgumentException">There are no logits, or a setting is out of its bounds.</exception>
    /// <exception cref="IndexOutOfRangeException">The token is outside of the vocabulary.</exception>
    public TokenChoice Score(ReadOnlySpan<float> logits, int id, SamplingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        Check(logits, settings);
        var logSum = LogSum(logits);
        return new TokenChoice(id, (float)(logits[id] - logSum), Top(logits, settings.TopLogprobs, logSum));
    }

    private double LogSum(ReadOnlySpan<float> logits)
    {
        if (_weights.Length < logits.Length)
        {
            (_weights, _order) = (new float[logits.Length], new ulong[logits.Length]);
        }

        return LogSoftmax.LogSumExp(logits, _weights.AsSpan(0, logits.Length));
    }

    private static void Check(ReadOnlySpan<float> logits, SamplingSettings settings)
    {
        if (logits.IsEmpty)
        {
            throw new ArgumentException("There are no logits to draw from.", nameof(logits));
        }

        if (!(settings.Temperature is >= 0 and <= 2))
        {
            throw new ArgumentOutOfRangeException(nameof(settings), settings.Temperature, "The temperature must be from 0 to 2.");
        }

        if (!(settings.TopP is > 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(settings), settings.TopP, "Top-p must be above 0 and at most 1.");
        }

        ArgumentOutOfRangeException.ThrowIfNegative(settings.TopK, nameof(settings));
        if (settings.TopLogprobs is < 0 or > MostTopLogprobs)
        {
            throw new ArgumentOutOfRangeException(nameof(settings), settings.TopLogprobs, $"From 0 to {MostTopLogprobs} most likely tokens can be reported.");
        }

        if (!FloatKernels.Best.IsFinite(logits))
        {
            throw new ArithmeticException("A logit is not finite, so there is nothing to draw from.");
        }
    }

    private static int Best(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var id = 1; id < logits.Length; id++)
        {
            best = logits[id] > logits[best] ? id : best;
        }

        return best;
    }

    /// <summary>Temperature, then top-k, then top-p of what top-k left; the random number is a share of the weight of what is left, taken in their order.</summary>
    private int DrawTempered(ReadOnlySpan<float> logits, SamplingSettings settings, double random)
    {
        var weights = _weights.AsSpan(0, logits.Length);
        var max = FloatKernels.Best.Max(logits);
        for (var id = 0; id < logits.Length; id++)
        {
            weights[id] = (logits[id] - max) / settings.Temperature;
        }

        FloatKernels.Best.ExpShifted(weights, 0);
        var limitsCount = settings.TopK > 0 && settings.TopK < logits.Length;
        if (!limitsCount && settings.TopP == 1)
        {
            return DrawByIds(weights, random * Total(weights));
        }

        var candidates = limitsCount ? TakeTopK(logits, settings.TopK) : TakeLikely(logits, weights, settings.TopP);
        if (settings.TopP < 1)
        {
            candidates = Nucleus(candidates, weights, settings.TopP * (limitsCount ? Total(candidates, weights) : Total(weights)));
        }

        var target = random * Total(candidates, weights);
        foreach (var key in candidates)
        {
            target -= weights[TokenOrder.Id(key)];
            if (target < 0)
            {
                return TokenOrder.Id(key);
            }
        }

        // Rounding used the whole weight up: the first candidate has the weight 1, so it is one that can be drawn.
        return TokenOrder.Id(candidates[0]);
    }

    private static int DrawByIds(ReadOnlySpan<float> weights, double target)
    {
        var last = 0;
        for (var id = 0; id < weights.Length; id++)
        {
            if (weights[id] > 0)
            {
                last = id;
                target -= weights[id];
                if (target < 0)
                {
                    return id;
                }
            }
        }

        return last;
    }

    private Span<ulong> TakeTopK(ReadOnlySpan<float> logits, int count)
    {
        var best = _order.AsSpan(0, count);
        TokenOrder.TakeBest(logits, best);
        return best;
    }

    /// <summary>
    /// The tokens that a nucleus can hold, the best first. One with less than (1 - p) / (n - 1) of the probability cannot be
    /// in it unless it is the best: with the others like it or less likely it would not make up what the nucleus leaves (the cut-off of llama2.c).
    /// </summary>
    private Span<ulong> TakeLikely(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float topP)
    {
        // The best has the weight 1.
        var least = Math.Min((1.0 - topP) / Math.Max(logits.Length - 1, 1) * Total(weights), 1);
        var count = 0;
        for (var id = 0; id < logits.Length; id++)
        {
            if (weights[id] >= least)
            {
                _order[count++] = TokenOrder.Key(logits[id], id);
            }
        }

        var likely = _order.AsSpan(0, count);
        likely.Sort();
        return likely;
    }

    /// <summary>The fewest of the best candidates whose weights reach <paramref name="wanted"/> (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2019).</summary>
    private static Span<ulong> Nucleus(Span<ulong> candidates, ReadOnlySpan<float> weights, double wanted)
    {
        var sum = 0.0;
        for (var i = 0; i < candidates.Length; i++)
        {
            sum += weights[TokenOrder.Id(candidates[i])];
            if (sum >= wanted)
            {
                return candidates[..(i + 1)];
            }
        }

        return candidates;
    }

    private static double Total(ReadOnlySpan<float> weights)
    {
        var sum = 0.0;
        foreach (var weight in weights)
        {
            sum += weight;
        }

        return sum;
    }

    private static double Total(ReadOnlySpan<ulong> candidates, ReadOnlySpan<float> weights)
    {
        var sum = 0.0;
        foreach (var key in candidates)
        {
            sum += weights[TokenOrder.Id(key)];
        }

        return sum;
    }

    private ImmutableArray<TokenLogprob> Top(ReadOnlySpan<float> logits, int count, double logSum)
    {
        if (count == 0)
        {
            return [];
        }

        var best = _order.AsSpan(0, Math.Min(count, logits.Length));
        TokenOrder.TakeBest(logits, best);
        var top = ImmutableArray.CreateBuilder<TokenLogprob>(best.Length);
        foreach (var key in best)
        {
            var id = TokenOrder.Id(key);
            top.Add(new TokenLogprob(id, (float)(logits[id] - logSum)));
        }

        return top.MoveToImmutable();
    }
}
