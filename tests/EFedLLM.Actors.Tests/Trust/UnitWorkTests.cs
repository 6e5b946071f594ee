using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class UnitWorkTests
{
    /// <summary>Three layers: hidden 8, two query heads and one key head of 4, feed-forward 16, 32 tokens.</summary>
    private static readonly ModelShape Shape = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 32,
        HiddenSize = 8,
        IntermediateSize = 16,
        Layers = 3,
        Heads = 2,
        KeyValueHeads = 1,
        HeadSize = 4,
        ContextLength = 64,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    // q and o 8·8 each, k and v 8·4 each, three of 8·16: 576 weights.
    private const double LayerWeights = (2 * 64) + (2 * 32) + (3 * 128);

    private static readonly ServedModel Served = new(new ModelId(new string('a', 64)), "m", 8, [320, 576, 576, 320], [10, 576, 576, 320], [0, 8, 8, 0], 64, 8);

    [Theory]
    [InlineData(1, 2, 0, 1, 0, (2 * LayerWeights) + (4 * 8 * 1))]
    [InlineData(1, 4, 0, 1, 0, 3 * ((2 * LayerWeights) + (4 * 8 * 1)))]
    [InlineData(1, 2, 9, 1, 0, (2 * LayerWeights) + (4 * 8 * 10))]
    [InlineData(1, 2, 9, 3, 0, (6 * LayerWeights) + (4 * 8 * (10 + 11 + 12)))]
    [InlineData(0, 1, 9, 3, 0, 8 * 3)]
    [InlineData(4, 5, 9, 3, 1, 2 * 8 * 32)]
    [InlineData(4, 5, 9, 3, 3, 3 * 2 * 8 * 32)]
    [InlineData(4, 5, 9, 3, 0, 0)]
    [InlineData(0, 5, 0, 0, 0, 0)]
    public void Work_follows_from_the_shape(int first, int end, int position, int rows, int drawn, double flop)
        => Assert.Equal(flop, UnitWork.Flop(Shape, new LayerRange(first, end), position, rows, drawn));

    [Fact]
    public void A_range_is_worth_what_its_parts_are_and_positions_what_each_is()
    {
        var whole = UnitWork.Flop(Shape, new LayerRange(0, 5), 3, 20, 20);
        Assert.Equal(whole, Enumerable.Range(0, 5).Sum(unit => UnitWork.Flop(Shape, new LayerRange(unit, unit + 1), 3, 20, 20)), 6);
        Assert.Equal(whole, Enumerable.Range(3, 20).Sum(position => UnitWork.Flop(Shape, new LayerRange(0, 5), position, 1, 1)), 6);
    }

    [Theory]
    [InlineData(0, 3, 1 + 2 + 3)]
    [InlineData(0, 6, 1 + 2 + 3 + 4 + 4 + 4)]
    [InlineData(10, 3, 4 + 4 + 4)]
    [InlineData(3, 2, 4 + 4)]
    public void A_position_attends_to_no_more_than_its_window(int position, int rows, int attended)
        => Assert.Equal((2 * LayerWeights * rows) + (4 * 8 * attended), UnitWork.Flop(Shape with { SlidingWindow = 4 }, new LayerRange(1, 2), position, rows, 0));

    [Fact]
    public void An_encoder_attends_to_the_whole_sequence_and_its_head_is_its_pooler_and_classes()
    {
        var encoder = Shape with { Encoder = new EncoderSettings(2, 3) };
        Assert.Equal((2 * (LayerWeights - 128) * 5) + (4 * 8 * 25), UnitWork.Flop(encoder, new LayerRange(1, 2), 0, 5, 0));
        Assert.Equal(2 * ((8 * 8) + (8 * 3)), UnitWork.Flop(encoder, new LayerRange(4, 5), 0, 5, 1));
    }

    [Theory]
    [InlineData(1, 2, 3, 0, 3 * 2 * 576)]
    [InlineData(0, 4, 3, 1, (3 * 2 * (10 + 576 + 576)) + (2 * 320))]
    [InlineData(3, 4, 3, 0, 0)]
    public void Work_follows_from_what_is_published_of_a_model(int first, int end, int rows, int drawn, double flop)
        => Assert.Equal(flop, UnitWork.Flop(Served, new LayerRange(first, end), rows, drawn), 6);

    [Theory]
    [InlineData(-5, double.NaN)]
    [InlineData(long.MaxValue, 0)]
    [InlineData(long.MaxValue, double.NegativeInfinity)]
    public void What_is_claimed_of_a_model_makes_no_work_that_is_no_number(long bytes, double bits)
    {
        var flop = UnitWork.Flop(Served with { UnitReadBytes = [bytes, bytes, bytes, bytes], BitsPerWeight = bits }, new LayerRange(0, 4), 1 << 20, 1 << 20);
        Assert.InRange(flop, 0, 1e24);
    }

    [Theory]
    [InlineData(-1, 2, 0, 1, 0)]
    [InlineData(2, 2, 0, 1, 0)]
    [InlineData(0, 6, 0, 1, 0)]
    [InlineData(0, 5, -1, 1, 0)]
    [InlineData(0, 5, 0, -1, 0)]
    [InlineData(0, 5, 0, 1, 2)]
    [InlineData(0, 5, 0, 1, -1)]
    public void Work_that_there_is_not_is_refused(int first, int end, int position, int rows, int drawn)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => UnitWork.Flop(Shape, new LayerRange(first, end), position, rows, drawn));
        if (position >= 0 && end != 5)
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => UnitWork.Flop(Served, new LayerRange(first, end), rows, drawn));
        }
    }
}
