using System.Text.Json;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Tokenizers;

public sealed class TextSplitterTests
{
    private const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    [Theory]
    [InlineData("Hello world", "Hello| world")]
    [InlineData("I'LL it's 12345", "I|'LL| it|'s| |123|45")]
    [InlineData("a  b\n\n c", "a| | b|\n\n| c")]
    [InlineData("wow!!\n x", "wow|!!\n| x")]
    [InlineData("a\U0001D49C\U00020000b \U0001D7CF\U0001D7D0\U0001D7D1\U0001D7D2 \U0001F600\U0001F601!", "a\U0001D49C\U00020000b| |\U0001D7CF\U0001D7D0\U0001D7D1|\U0001D7D2| \U0001F600\U0001F601!")]
    public void The_pattern_of_Llama_3_splits_words_numbers_and_symbols_of_every_plane(string text, string expected) =>
        AssertSplit(Pattern("Regex", Llama3, "Isolated"), text, expected);

    [Theory]
    [InlineData("Removed", false, "a|bc|d")]
    [InlineData("Isolated", false, "a|-|-|bc|-|d")]
    [InlineData("MergedWithPrevious", false, "a-|-|bc-|d")]
    [InlineData("MergedWithNext", false, "a|-|-bc|-d")]
    [InlineData("Contiguous", false, "a|--|bc|-|d")]
    [InlineData("Isolated", true, "a|-|-|bc|-|d")]
    [InlineData("Removed", true, "-|-|-")]
    public void Matches_are_treated_as_the_behavior_says(string behavior, bool invert, string expected) =>
        AssertSplit(Pattern("String", "-", behavior, invert), "a--bc-d", expected);

    [Theory]
    [InlineData(true, "a|1|2|b|\u2460|c")]
    [InlineData(false, "a|12|b|\u2460|c")]
    public void Digits_stand_alone_or_together(bool individual, string expected) =>
        AssertSplit($$"""{"type":"Digits","individual_digits":{{(individual ? "true" : "false")}}}""", "a12b\u2460c", expected);

    [Theory]
    [InlineData("""{"type":"Metaspace","replacement":"_","prepend_scheme":"always"}""", "a b  c", "_a|_b|_|_c")]
    [InlineData("""{"type":"Metaspace","replacement":"_","prepend_scheme":"never"}""", "a b", "a|_b")]
    [InlineData("""{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":false}""", "a b", "_a_b")]
    [InlineData("""{"type":"Metaspace","replacement":"_","add_prefix_space":true}""", " a", "_a")]
    public void Spaces_become_marks(string json, string text, string expected) => AssertSplit(json, text, expected);

    [Fact]
    public void A_mark_goes_before_the_first_piece_of_the_text_alone_where_that_is_asked_for()
    {
        var splitter = Read("""{"type":"Metaspace","replacement":"_","prepend_scheme":"first"}""").Single();
        var output = new List<string>();
        splitter.Split("a", isFirst: true, output);
        splitter.Split("b", isFirst: false, output);

        Assert.Equal(["_a", "b"], output);
    }

    [Fact]
    public void Byte_level_splitting_can_put_a_space_in_front()
    {
        AssertSplit("""{"type":"ByteLevel","add_prefix_space":true}""", "a b", "\u0120a|\u0120b");
        AssertSplit("""{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""", "a \u00E9", "a\u0120\u00C3\u00A9");
    }

    private static string Pattern(string kind, string pattern, string behavior, bool invert = false) =>
        JsonSerializer.Serialize(new Dictionary<string, object> { ["type"] = "Split", ["pattern"] = new Dictionary<string, string> { [kind] = pattern }, ["behavior"] = behavior, ["invert"] = invert });

    private static void AssertSplit(string json, string text, string expected)
    {
        var output = new List<string>();
        Read(json).Single().Split(text, isFirst: true, output);

        Assert.Equal(expected, string.Join('|', output));
    }

    private static List<TextSplitter> Read(string json)
    {
        using var document = JsonDocument.Parse(json);
        return new TokenizerJsonParts("tokenizer.json").Splitters(document.RootElement);
    }
}
