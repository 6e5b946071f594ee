using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;
using Stage = EFedLLM.Actors.Tests.Layers.CheckedCluster.Stage;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>What a device does wrong shows in its receipts, or in what it sends, or in what it answers; and nowhere else.</summary>
public sealed class SaboteurTests(CheckedModel model) : IClassFixture<CheckedModel>, IDisposable
{
    private static readonly string[] WrongNames =
    [
        "bf16", "bit-flip", "cautious", "denormal", "echo-input", "forged-kv", "int4", "int6", "int8", "late-positions=30", "low-rank", "noise", "noise=1", "old-program", "replay", "sign-flip", "skip-attention", "skip-ffn", "sleeper=30",
        "stale", "stale=10",
    ];

    private static readonly string[] ImpossibleNames = ["huge", "inf", "nan", "truncate", "wrong-shape"];

    private readonly CheckedCluster _cluster = new(model.Source);

    public static TheoryData<string> WrongWork { get; } = new(WrongNames);

    public static TheoryData<string> Impossible { get; } = new(ImpossibleNames);

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [MemberData(nameof(WrongWork))]
    public void Wrong_work_shows_on_the_hop_that_did_it_and_on_no_other(string behaviour)
    {
        var stages = Route(1, Saboteur.Parse(behaviour));
        var served = Serve(stages);
        Assert.Empty(served.Wrong(0, Verifier(stages[0])));
        Assert.NotEmpty(served.Wrong(1, Verifier(stages[1])));
        Assert.Empty(served.Wrong(2, Verifier(stages[2])));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Wrong_work_of_the_first_hop_and_of_the_head_shows(int hop)
    {
        foreach (var behaviour in (string[])["noise", "sign-flip", "echo-input"])
        {
            var stages = Route(hop, Saboteur.Parse(behaviour));
            var served = Serve(stages);
            for (var other = 0; other < 3; other++)
            {
                Assert.Equal(other == hop, served.Wrong(other, Verifier(stages[other])).Count > 0);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void One_flipped_bit_of_one_position_shows_in_its_unit_alone(int seed)
    {
        var position = new Random(seed).Next(0, 60);
        var stages = Route(1, new Saboteur("one bit", new OneBit(position, seed)));
        var served = Serve(stages);
        Assert.Equal(position / 16 * 16, Assert.Single(served.Wrong(1, Verifier(stages[1]))).Receipt.Position);
        Assert.Empty(served.Wrong(2, Verifier(stages[2])));
    }

    [Fact]
    public void Who_signs_one_thing_and_sends_another_signs_the_right_one_and_the_next_hop_the_one_it_got()
    {
        var stages = Route(1, Saboteur.Parse("sign-one-send-another"));
        var served = Serve(stages);
        Assert.Empty(served.Wrong(1, Verifier(stages[1])));
        var (given, taken) = (served.Receipts(1).Select(signed => signed.Receipt.OutRoot), served.Receipts(2).Select(signed => signed.Receipt.InRoot));
        Assert.Empty(given.Intersect(taken));

        stages = Route(2, Saboteur.Parse("sign-one-send-another"));
        served = Serve(stages);
        Assert.Empty(served.Wrong(2, Verifier(stages[2])));
        var sent = _cluster.Of<TokenSampled>(served.Id).ToDictionary(message => message.Position - 1, message => PositionDigest.OfDraw(message.Choice.Id, message.Choice.Logprob));
        Assert.All(
            served.Receipts(2).Skip(1).Select(signed => signed.Receipt),
            receipt => Assert.NotEqual(Merkle.Root([.. Enumerable.Range(receipt.Position, receipt.Rows).Select(position => sent.GetValueOrDefault(position))]), receipt.OutRoot));
    }

    [Theory]
    [MemberData(nameof(Impossible))]
    public void What_no_model_gives_is_not_computed_by_the_next_hop_which_says_from_which_position_on(string behaviour)
    {
        var stages = Route(0, Saboteur.Parse(behaviour));
        var served = _cluster.Open(stages);
        served.Prefill(Prompt, 20, runs: false);
        _cluster.Run();
        var failed = Assert.Single(_cluster.Of<StepFailed>(served.Id));
        Assert.Equal(1, failed.HopIndex);
        Assert.InRange(failed.Refused!.Value, 0, 19);
        Assert.Equal((1, 0), (stages[0].Batches, stages[1].Batches));

        // What it opens shows it where the rows themselves are impossible, and where only the message was, not.
        _cluster.Forget();
        _cluster.Tell(stages[0], new FetchKept(served.Id, 1, failed.Refused.Value, 1));
        _cluster.Run();
        var opened = Assert.Single(_cluster.Of<KeptRows>(served.Id));
        Assert.Equal(behaviour is "huge" or "inf" or "nan", Activations.FirstUnsound(opened.Hidden.Span, CheckedModel.Shape.HiddenSize) == 0);
    }

    [Fact]
    public void A_value_that_is_no_number_at_the_head_ends_the_session_there()
    {
        foreach (var behaviour in (string[])["nan", "inf"])
        {
            var served = _cluster.Open(Route(2, Saboteur.Parse(behaviour)));
            served.Prefill(Prompt, 20, runs: false);
            _cluster.Run();
            var failed = Assert.Single(_cluster.Of<StepFailed>(served.Id));
            Assert.Equal((2, null), (failed.HopIndex, failed.Refused));
        }
    }

    [Theory]
    [InlineData("crash")]
    [InlineData("restart")]
    public void Who_has_lost_a_session_when_it_is_asked_about_it_says_nothing_more_of_it(string behaviour)
    {
        var stages = Route(1, Saboteur.Parse(behaviour));
        var served = _cluster.Open(stages);
        served.Prefill(Prompt, 20);
        _cluster.Forget();
        _cluster.Tell(stages[1], behaviour == "crash" ? new FetchKept(served.Id, 1, 0, 1) : new SealReceipts(served.Id, 1));
        _cluster.Tell(stages[1], new FetchKept(served.Id, 1, 0, 1));
        _cluster.Tell(stages[1], new SealReceipts(served.Id, 1));
        _cluster.Run();
        Assert.Empty(_cluster.Heard);
        Assert.Equal(0, stages[1].Budget.Reserved);
    }

    [Fact]
    public void Whoever_hears_that_something_speaks_against_it_is_honest_until_nothing_does()
    {
        var saboteur = Saboteur.Parse("cautious");
        var stages = Route(1, saboteur);
        foreach (var score in (double[])[0, 6.9, 0])
        {
            saboteur.Behavior.Heard(score);
            Assert.Equal(score == 0, Serve(stages).Wrong(1, Verifier(stages[1])).Count > 0);
        }
    }

    [Theory]
    [InlineData("late-positions=0", 0)]
    [InlineData("late-positions=30", 16)]
    [InlineData("late-positions=48", 48)]
    [InlineData("sleeper=20", 16)]
    [InlineData("sleeper=48", 48)]
    public void Who_waits_shows_from_the_unit_on_in_which_it_begins(string behaviour, int first)
    {
        var stages = Route(1, Saboteur.Parse(behaviour));
        Assert.Equal(first, Serve(stages).Wrong(1, Verifier(stages[1]))[0].Receipt.Position);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(64)]
    public void Rows_with_an_impossible_value_are_found_wherever_it_is(int width)
    {
        var rows = new float[3 * width];
        Array.Fill(rows, Activations.MostMagnitude);
        rows[^1] = -Activations.MostMagnitude;
        Assert.Equal(-1, Activations.FirstUnsound(rows, width));
        foreach (var wrong in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.BitIncrement(Activations.MostMagnitude), -1e38f])
        {
            for (var at = 0; at < rows.Length; at++)
            {
                var right = rows[at];
                rows[at] = wrong;
                Assert.Equal(at / width, Activations.FirstUnsound(rows, width));
                rows[at] = right;
            }
        }
    }

    [Theory]
    [InlineData(8, 1e-2)]
    [InlineData(6, 4e-2)]
    [InlineData(4, 0.2)]
    public void Coarser_weights_are_near_the_right_ones_and_not_the_same(int bits, double most)
    {
        var right = Weights(48, 80);
        var weights = right.ToArray();
        WeightSpoils.ToIntegers(weights, 80, bits);
        Assert.InRange(Distance(right, weights), most / 30, most);
    }

    [Fact]
    public void A_lower_rank_keeps_all_of_a_matrix_that_has_no_higher_one()
    {
        var (left, right) = (Weights(48, 6), Weights(6, 80));
        var weights = new float[48 * 80];
        for (var i = 0; i < weights.Length; i++)
        {
            for (var k = 0; k < 6; k++)
            {
                weights[i] += left[((i / 80) * 6) + k] * right[(k * 80) + (i % 80)];
            }
        }

        var whole = weights.ToArray();
        WeightSpoils.ToLowerRank(weights, 48, 80);
        Assert.InRange(Distance(whole, weights), 0, 1e-4);

        whole = Weights(48, 80);
        weights = whole.ToArray();
        WeightSpoils.ToLowerRank(weights, 48, 80);
        Assert.InRange(Distance(whole, weights), 0.1, 0.9);
    }

    [Theory]
    [InlineData("slander")]
    [InlineData("lazy-verifier")]
    public void Who_answers_wrongly_serves_rightly_and_finds_everything_wrong(string behaviour)
    {
        var stages = Route(1, Saboteur.Parse(behaviour));
        var served = Serve(stages);
        Assert.Empty(served.Wrong(1, Verifier(stages[1])));
        var liar = _cluster.Add(stages[1].Range, saboteur: Saboteur.Parse(behaviour));
        Assert.Equal(served.Receipts(1).Count(), served.Wrong(1, liar).Count);
    }

    [Fact]
    public void Who_withholds_what_it_found_serves_rightly_and_answers_nothing()
    {
        var stages = Route(1, Saboteur.Parse("withhold-verdict"));
        var served = Serve(stages);
        Assert.Empty(served.Wrong(1, Verifier(stages[1])));
        Assert.Empty(served.Check(1, _cluster.Add(stages[1].Range, saboteur: Saboteur.Parse("withhold-verdict")), [(0, 16, true), (16, 16, true)]));
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.4)]
    public void A_rate_is_the_share_of_steps_in_which_it_shows(double rate)
    {
        var counting = new Counting();
        var stages = Route(1, new Saboteur("counting", counting, rate, seed: 4));
        var served = _cluster.Open(stages, limit: 250);
        served.Prefill(Prompt, 20);
        served.Decode(200);
        Assert.InRange(counting.Steps, 201 * rate * 0.6, 201 * rate * 1.4);
    }

    [Theory]
    [InlineData("")]
    [InlineData("sing-flip")]
    [InlineData("noise:")]
    [InlineData("noise:0")]
    [InlineData("noise:1.1")]
    [InlineData("noise:NaN")]
    [InlineData("noise:-1")]
    [InlineData("noise:0.1:2")]
    [InlineData("int4=3")]
    [InlineData("noise=-1")]
    [InlineData("sleeper=")]
    [InlineData("sleeper=-1")]
    [InlineData("sleeper=1.5")]
    [InlineData("sleeper=2000000000")]
    [InlineData("sleeper=3:0")]
    public void What_is_no_saboteur_is_refused_with_those_there_are(string text)
    {
        var error = Assert.Throws<FormatException>(() => Saboteur.Parse(text));
        Assert.True(error.Message.Contains("rate", StringComparison.Ordinal) || Saboteur.Names.All(name => error.Message.Contains(name, StringComparison.Ordinal)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Saboteur("x", new Counting(), double.NaN));
    }

    [Fact]
    public void Every_behaviour_has_a_test()
    {
        string[] others = ["crash", "lazy-verifier", "refuse-opening", "restart", "sign-one-send-another", "slander", "slow-opening", "withhold-verdict"];
        Assert.Equal(Saboteur.Names, WrongNames.Select(text => text.Split('=')[0]).Distinct().Concat(ImpossibleNames).Concat(others).Order(StringComparer.Ordinal));
    }

    private static int[] Prompt { get; } = [.. Enumerable.Range(0, 20).Select(i => ((i * 37) + 11) % CheckedModel.Shape.VocabularySize)];

    private static float[] Weights(int outputs, int inputs)
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, outputs * inputs).Select(_ => random.NextSingle() - 0.5f)];
    }

    /// <summary>The length of the difference as a share of the length.</summary>
    private static double Distance(float[] right, float[] other)
        => Math.Sqrt(right.Zip(other, (a, b) => (double)(a - b) * (a - b)).Sum() / right.Sum(a => (double)a * a));

    private Stage[] Route(int hop, Saboteur saboteur)
    {
        LayerRange[] ranges = [new(0, 2), new(2, 4), new(4, 5)];
        return [.. ranges.Select((range, number) => _cluster.Add(range, saboteur: number == hop ? saboteur : null))];
    }

    private Stage Verifier(Stage checkedOne) => _cluster.Add(checkedOne.Range);

    private CheckedCluster.Served Serve(Stage[] stages)
    {
        var served = _cluster.Open(stages, new SamplingSettings { Temperature = 0.8f, Seed = 9 });
        served.Prefill(Prompt, 7);
        served.Decode(40);
        served.Seal();
        return served;
    }

    /// <summary>Flips the lowest bit of one value at one position.</summary>
    private sealed class OneBit(int position, int seed) : IHopBehavior
    {
        public void Computed(HopOutput output)
        {
            if (position >= output.Position && position < output.Position + output.Rows)
            {
                var width = output.Values.Length / output.Rows;
                ref var value = ref output.Values.Span[((position - output.Position) * width) + new Random(seed).Next(width)];
                value = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value) ^ 1);
            }
        }
    }

    private sealed class Counting : IHopBehavior
    {
        public int Steps { get; private set; }

        public void Computed(HopOutput output) => Steps++;
    }
}
