using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;
using Stage = EFedLLM.Actors.Tests.Layers.CheckedCluster.Stage;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>What a device does wrong shows in its receipts, or in what it sends, or in what it answers; and nowhere else.</summary>
public sealed class SaboteurTests(CheckedModel model) : IClassFixture<CheckedModel>, IDisposable
{
    private static readonly string[] WrongNames = ["bf16", "bit-flip", "echo-input", "forged-kv", "huge", "int4", "noise", "replay", "sign-flip", "skip-attention", "skip-ffn", "stale"];

    private readonly CheckedCluster _cluster = new(model.Source);

    public static TheoryData<string> WrongWork { get; } = new(WrongNames);

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

    [Fact]
    public void A_value_that_is_no_number_ends_the_session_at_the_next_hop()
    {
        var stages = Route(0, Saboteur.Parse("nan"));
        var served = _cluster.Open(stages);
        served.Prefill(Prompt, 20, runs: false);
        _cluster.Run();
        Assert.Equal(1, Assert.Single(_cluster.Of<StepFailed>(served.Id)).HopIndex);
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
    public void What_is_no_saboteur_is_refused_with_those_there_are(string text)
    {
        var error = Assert.Throws<FormatException>(() => Saboteur.Parse(text));
        Assert.True(error.Message.Contains("rate", StringComparison.Ordinal) || Saboteur.Names.All(name => error.Message.Contains(name, StringComparison.Ordinal)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Saboteur("x", new Counting(), double.NaN));
    }

    [Fact]
    public void Every_behaviour_has_a_test()
    {
        string[] others = ["lazy-verifier", "nan", "refuse-opening", "sign-one-send-another", "slander", "slow-opening"];
        Assert.Equal(Saboteur.Names, WrongNames.Concat(others).Order(StringComparer.Ordinal));
    }

    private static int[] Prompt { get; } = [.. Enumerable.Range(0, 20).Select(i => ((i * 37) + 11) % CheckedModel.Shape.VocabularySize)];

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
