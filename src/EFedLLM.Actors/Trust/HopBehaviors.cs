using EFedLLM.Transformer.Linear;

namespace EFedLLM.Actors.Trust;

/// <summary>The behaviours that have a name.</summary>
internal static class HopBehaviors
{
    // Behind what anybody waits for an opening.
    private static readonly TimeSpan TooLate = TimeSpan.FromSeconds(45);

    /// <summary>By name; each gives a new one.</summary>
    public static SortedDictionary<string, Func<IHopBehavior>> All { get; } = new(StringComparer.Ordinal)
    {
        ["bf16"] = () => new Spoils(RoundToBFloat16),
        ["bit-flip"] = () => new Spoils(FlipBit),
        ["echo-input"] = () => new Spoils(EchoInput),
        ["forged-kv"] = () => new Forges(),
        ["huge"] = () => new Spoils(output => At(output) = 1e38f),
        ["int4"] = () => new Spoils(RoundToFourBits),
        ["lazy-verifier"] = () => new Answers((_, _) => default),
        ["nan"] = () => new Spoils(output => At(output) = float.NaN),
        ["noise"] = () => new Spoils(AddNoise),
        ["refuse-opening"] = () => new Opens(Timeout.InfiniteTimeSpan),
        ["replay"] = () => new Replays(),
        ["sign-flip"] = () => new Spoils(FlipSigns),
        ["sign-one-send-another"] = () => new SendsAnother(),
        ["skip-attention"] = () => new Warps((attention, _) => attention.Clear()),
        ["skip-ffn"] = () => new Warps((_, feedForward) => feedForward.Clear()),
        ["slander"] = () => new Answers((answer, random) => answer with { A = answer.A ^ (1UL << random.Next(64)) }),
        ["slow-opening"] = () => new Opens(TooLate),
        ["stale"] = () => new Warps(Drift),
    };

    private static ref float At(HopOutput output) => ref output.Values.Span[output.Random.Next(output.Values.Length)];

    private static void FlipBit(HopOutput output)
    {
        ref var value = ref At(output);
        value = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value) ^ 1);
    }

    private static void FlipSigns(HopOutput output)
    {
        foreach (ref var value in output.Values.Span)
        {
            value = -value;
        }
    }

    private static void RoundToBFloat16(HopOutput output)
    {
        foreach (ref var value in output.Values.Span)
        {
            value = BFloat16.ToSingle(BFloat16.FromSingle(value));
        }
    }

    private static void AddNoise(HopOutput output)
    {
        foreach (ref var value in output.Values.Span)
        {
            value *= 1 + (1e-3f * (output.Random.NextSingle() - 0.5f));
        }
    }

    /// <summary>The first hop has no rows to echo and gives none of its own.</summary>
    private static void EchoInput(HopOutput output)
    {
        output.Values.Span.Clear();
        output.Input.Span[..Math.Min(output.Input.Length, output.Values.Length)].CopyTo(output.Values.Span);
    }

    /// <summary>What comes out of weights of so few bits is as coarse.</summary>
    private static void RoundToFourBits(HopOutput output)
    {
        const int Group = 32;
        const int Most = 7;
        for (var rest = output.Values.Span; !rest.IsEmpty; rest = rest[Math.Min(Group, rest.Length)..])
        {
            var group = rest[..Math.Min(Group, rest.Length)];
            var largest = 0f;
            foreach (var value in group)
            {
                largest = Math.Max(largest, Math.Abs(value));
            }

            foreach (ref var value in group)
            {
                value = largest == 0 ? 0 : MathF.Round(value / largest * Most) * largest / Most;
            }
        }
    }

    private static void Drift(Span<float> attention, Span<float> feedForward)
    {
        for (var i = 0; i < attention.Length; i++)
        {
            attention[i] *= 1.001f;
            feedForward[i] *= 0.999f;
        }
    }

    private delegate void Change(Span<float> attention, Span<float> feedForward);

    private sealed class Spoils(Action<HopOutput> change) : IHopBehavior
    {
        public void Computed(HopOutput output) => change(output);
    }

    private sealed class Warps(Change change) : IHopBehavior
    {
        public bool WarpsWeights => true;

        public void Warp(Span<float> attention, Span<float> feedForward) => change(attention, feedForward);
    }

    private sealed class Answers(Func<Digest, Random, Digest> change) : IHopBehavior
    {
        public Digest Answer(Digest answer, Random random) => change(answer, random);
    }

    private sealed class Opens(TimeSpan delay) : IHopBehavior
    {
        public TimeSpan OpeningDelay => delay;
    }

    /// <summary>Gives what it gave before, whatever comes in.</summary>
    private sealed class Replays : IHopBehavior
    {
        private float[] _before = [];

        public void Computed(HopOutput output)
        {
            var now = output.Values.ToArray();
            if (_before.Length > 0)
            {
                for (var at = 0; at < now.Length; at += _before.Length)
                {
                    _before.AsSpan(0, Math.Min(_before.Length, now.Length - at)).CopyTo(output.Values.Span[at..]);
                }
            }

            _before = now;
        }
    }

    /// <summary>Computes rightly, and signs and opens other keys and values than it computed with: always the same ones.</summary>
    private sealed class Forges : IHopBehavior
    {
        public void Kept(int position, int offset, Span<float> values)
        {
            foreach (ref var value in values)
            {
                value = -value;
            }
        }
    }

    private sealed class SendsAnother : IHopBehavior
    {
        public void Signed(HopOutput output)
        {
            if (output.IsHead)
            {
                output.Token = output.Token < 0 ? -1 : (output.Token + 1) % output.VocabularySize;
            }
            else
            {
                FlipSigns(output);
            }
        }
    }
}
