namespace EFedLLM.Actors.Trust;

/// <summary>The behaviours that have a name.</summary>
internal static class HopBehaviors
{
    // Behind what anybody waits for an opening.
    private static readonly TimeSpan TooLate = TimeSpan.FromSeconds(45);

    /// <summary>By name. The number of noise and of stale is how far from right, in millionths; that of the others is of positions.</summary>
    public static SortedDictionary<string, HopBehaviorForm> All { get; } = new(StringComparer.Ordinal)
    {
        ["bf16"] = Plain(() => new Rounds(WeightSpoils.ToBFloat16)),
        ["bit-flip"] = Plain(() => new Spoils(FlipBit)),
        ["cautious"] = Plain(() => new Watches()),
        ["crash"] = Plain(() => new Forgets(opening: true)),
        ["denormal"] = Plain(() => new Spoils(output => At(output) = float.Epsilon)),
        ["echo-input"] = Plain(() => new Spoils(EchoInput)),
        ["forged-kv"] = Plain(() => new Forges()),
        ["huge"] = Plain(() => new Spoils(output => At(output) = 1e38f)),
        ["inf"] = Plain(() => new Spoils(output => At(output) = float.PositiveInfinity)),
        ["int4"] = Plain(() => new Rounds((weights, _, inputs) => WeightSpoils.ToIntegers(weights, inputs, 4))),
        ["int6"] = Plain(() => new Rounds((weights, _, inputs) => WeightSpoils.ToIntegers(weights, inputs, 6))),
        ["int8"] = Plain(() => new Rounds((weights, _, inputs) => WeightSpoils.ToIntegers(weights, inputs, 8))),
        ["late-positions"] = new(from => new FromPosition(from), 64),
        ["lazy-verifier"] = Plain(() => new Answers((_, _) => default)),
        ["low-rank"] = Plain(() => new Rounds(WeightSpoils.ToLowerRank)),
        ["nan"] = Plain(() => new Spoils(output => At(output) = float.NaN)),
        ["noise"] = new(millionths => new Spoils(output => AddNoise(output, millionths * 1e-6f)), 1000),
        ["old-program"] = Plain(() => new Rounds((_, _, _) => { })),
        ["refuse-opening"] = Plain(() => new Opens(Timeout.InfiniteTimeSpan)),
        ["replay"] = Plain(() => new Replays()),
        ["restart"] = Plain(() => new Forgets(opening: false)),
        ["sign-flip"] = Plain(() => new Spoils(FlipSigns)),
        ["sign-one-send-another"] = Plain(() => new SendsAnother()),
        ["skip-attention"] = Plain(() => new Warps((attention, _) => attention.Clear())),
        ["skip-ffn"] = Plain(() => new Warps((_, feedForward) => feedForward.Clear())),
        ["slander"] = Plain(() => new Answers((answer, random) => answer with { A = answer.A ^ (1UL << random.Next(64)) })),
        ["sleeper"] = new(honest => new Sleeps(honest), 50_000),
        ["slow-opening"] = Plain(() => new Opens(TooLate)),
        ["stale"] = new(millionths => new Warps((attention, feedForward) => Drift(attention, feedForward, millionths * 1e-6f)), 1000),
        ["truncate"] = Plain(() => new Sends((rows, count) => rows[..(rows.Length / count / 2 * count)])),
        ["withhold-verdict"] = Plain(() => new Withholds()),
        ["wrong-shape"] = Plain(() => new Sends((rows, count) => new float[rows.Length + count])),
    };

    private static HopBehaviorForm Plain(Func<IHopBehavior> make) => new(_ => make());

    private static ref float At(HopOutput output) => ref output.Values.Span[output.Random.Next(output.Values.Length)];

    private static void FlipBit(HopOutput output)
    {
        ref var value = ref At(output);
        value = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value) ^ 1);
    }

    private static void FlipSigns(HopOutput output) => FlipSigns(output.Values.Span);

    private static void FlipSigns(Span<float> values)
    {
        foreach (ref var value in values)
        {
            value = -value;
        }
    }

    private static void AddNoise(HopOutput output, float share)
    {
        foreach (ref var value in output.Values.Span)
        {
            value *= 1 + (share * (output.Random.NextSingle() - 0.5f));
        }
    }

    /// <summary>The first hop has no rows to echo and gives none of its own.</summary>
    private static void EchoInput(HopOutput output)
    {
        output.Values.Span.Clear();
        output.Input.Span[..Math.Min(output.Input.Length, output.Values.Length)].CopyTo(output.Values.Span);
    }

    private static void Drift(Span<float> attention, Span<float> feedForward, float share)
    {
        for (var i = 0; i < attention.Length; i++)
        {
            attention[i] *= 1 + share;
            feedForward[i] *= 1 - share;
        }
    }

    private delegate void Change(Span<float> attention, Span<float> feedForward);

    private delegate void Rounding(Span<float> weights, int outputs, int inputs);

    private sealed class Spoils(Action<HopOutput> change) : IHopBehavior
    {
        public void Computed(HopOutput output) => change(output);
    }

    private sealed class Warps(Change change) : IHopBehavior
    {
        public bool WarpsWeights => true;

        public void Warp(Span<float> attention, Span<float> feedForward) => change(attention, feedForward);
    }

    private sealed class Rounds(Rounding rounding) : IHopBehavior
    {
        public bool WarpsMatrices => true;

        public void WarpMatrix(Span<float> weights, int outputs, int inputs) => rounding(weights, outputs, inputs);
    }

    private sealed class Answers(Func<Digest, Random, Digest> change) : IHopBehavior
    {
        public Digest Answer(Digest answer, Random random) => change(answer, random);
    }

    private sealed class Opens(TimeSpan delay) : IHopBehavior
    {
        public TimeSpan OpeningDelay => delay;
    }

    private sealed class Sends(Func<ReadOnlyMemory<float>, int, ReadOnlyMemory<float>> change) : IHopBehavior
    {
        public ReadOnlyMemory<float> Sent(ReadOnlyMemory<float> rows, int count) => change(rows, count);
    }

    /// <summary>Flips signs, and has no session any more when somebody wants to know.</summary>
    private sealed class Forgets(bool opening) : IHopBehavior
    {
        public bool ForgetsWhenAskedToOpen => opening;

        public bool ForgetsWhenAskedToSign => !opening;

        public void Computed(HopOutput output) => FlipSigns(output);
    }

    /// <summary>Flips signs while nothing speaks against it.</summary>
    private sealed class Watches : IHopBehavior
    {
        private volatile bool _isWatched;

        public void Heard(double score) => _isWatched = score > 0;

        public void Computed(HopOutput output)
        {
            if (!_isWatched)
            {
                FlipSigns(output);
            }
        }
    }

    /// <summary>Flips signs of late positions: only long prompts and answers have them.</summary>
    private sealed class FromPosition(int first) : IHopBehavior
    {
        public void Computed(HopOutput output)
        {
            // At the head there may be fewer rows of values than positions: those of the last ones.
            if (output.Position + output.Rows > first)
            {
                FlipSigns(output.IsHead ? output.Values.Span : output.Values.Span[(Math.Max(0, first - output.Position) * (output.Values.Length / output.Rows))..]);
            }
        }
    }

    /// <summary>Is honest for so many positions, and flips signs from then on.</summary>
    private sealed class Sleeps(int honest) : IHopBehavior
    {
        private long _positions;

        public void Computed(HopOutput output)
        {
            if (_positions >= honest)
            {
                FlipSigns(output);
            }

            _positions += output.Rows;
        }
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
        public void Kept(int position, int offset, Span<Half> values)
        {
            foreach (ref var value in values)
            {
                value = -value;
            }
        }
    }

    private sealed class Withholds : IHopBehavior
    {
        public bool WithholdsAnswers => true;
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
