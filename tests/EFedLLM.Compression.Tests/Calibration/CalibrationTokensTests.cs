using EFedLLM.Compression.Calibration;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Tests.Calibration;

public sealed class CalibrationTokensTests
{
    private static readonly ModelShape Shape = KnownShapes.Find("135m") with { HiddenSize = 64, IntermediateSize = 1000, ContextLength = 128 };

    [Fact]
    public void Chunks_are_whole_distinct_spread_over_the_text_and_apart_from_those_held_out()
    {
        var ids = Enumerable.Range(0, 128 * 500 + 50).ToArray();
        var tokens = CalibrationTokens.Take(ids, 7, Shape);
        Assert.Equal(128, tokens.Length);
        Assert.Equal(16, tokens.HeldOut.Length);
        Assert.InRange(tokens.Count, 1500, 128 * 500);
        var firsts = tokens.Calibration.Concat(tokens.HeldOut).Select(chunk => chunk.Span[0]).ToList();
        Assert.Equal(firsts.Count, firsts.Distinct().Count());
        Assert.All(firsts, first => Assert.Equal(0, first % 128));
        Assert.InRange(tokens.Calibration.Max(chunk => chunk.Span[0]), 128 * 400, 128 * 500);
        Assert.InRange(tokens.HeldOut.Min(chunk => chunk.Span[0]), 0, 128 * 100);
        Assert.Equal([7, .. tokens.HeldOut[3].Span[..^1]], tokens.InputOf(tokens.HeldOut[3]));
    }

    [Fact]
    public void A_large_model_reads_little_more_than_it_needs_and_holds_out_one_chunk_for_six()
    {
        var shape = KnownShapes.Find("1b");
        var tokens = CalibrationTokens.Take(new int[100_000], 1, shape);
        Assert.Equal(tokens.Calibration.Length / 6, tokens.HeldOut.Length);
        Assert.InRange(tokens.Mixed(new int[100_000]).Count, CalibrationNeeds.Least(shape), 1.25 * CalibrationNeeds.Least(shape));
    }

    [Fact]
    public void A_text_that_is_too_short_says_how_much_is_needed_and_so_much_is_enough()
    {
        var error = Assert.Throws<InvalidDataException>(() => CalibrationTokens.Take(new int[1000], 1, Shape));
        var needed = int.Parse(System.Text.RegularExpressions.Regex.Match(error.Message, @"at least (\d+)").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(CalibrationTokens.Take(new int[needed], 1, Shape).Count >= CalibrationNeeds.Least(Shape));
        Assert.Throws<InvalidDataException>(() => CalibrationTokens.Take(new int[needed - 1], 1, Shape));
        Assert.Throws<InvalidDataException>(() => CalibrationTokens.Take([], 1, Shape));
    }

    [Theory]
    [InlineData(128 * 500, 500)]
    [InlineData(128 * 3 + 5, 3)]
    [InlineData(127, 0)]
    public void Other_texts_come_between_once_in_three_taking_turns_and_are_never_held_out(int length, int chunks)
    {
        var own = CalibrationTokens.Take([.. Enumerable.Range(0, 128 * 100)], 7, Shape);
        var mixed = own.Mixed([.. Enumerable.Range(1_000_000, length)], [.. Enumerable.Range(2_000_000, length)]);
        var others = mixed.Calibration.Select(chunk => chunk.Span[0]).Where(first => first >= 1_000_000).ToList();
        Assert.Equal(chunks == 0 ? 0 : own.Calibration.Length / 2, others.Count);
        Assert.Equal(others.Select((_, index) => (1 + index % 2) * 1_000_000 + index / 2 % chunks * 128), others);
        Assert.Equal(own.Calibration.Select(chunk => chunk.Span[0]), mixed.Calibration.Select(chunk => chunk.Span[0]).Where(first => first < 1_000_000));
        Assert.Equal(own.HeldOut.Length, mixed.HeldOut.Length);
        Assert.True(others.Count == 0 || mixed.Calibration[2].Span[0] == 1_000_000);
    }

    [Fact]
    public void The_built_in_text_is_enough_for_wide_layers() =>
        Assert.True(CalibrationText.BuiltIn.Length / 6 > CalibrationNeeds.Least(KnownShapes.Find("7b")), "a token is rarely longer than six characters");
}
