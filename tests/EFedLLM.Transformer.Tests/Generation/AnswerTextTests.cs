using System.Text;
using CsCheck;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Tests.Tokenizers;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Generation;

/// <summary>With a tokenizer whose tokens are bytes, "he", "ll" and "hell", and two special ones.</summary>
public sealed class AnswerTextTests
{
    private const int End = 259;
    private static readonly ModelTokenizer Tokenizer = TinyTokenizer.Load(TinyTokenizer.ByteLevel());

    [Fact]
    public void Text_comes_out_with_its_token_where_no_stop_text_can_begin()
    {
        var answer = Begin(new GenerationSettings());

        Assert.Equal(["a", "hell", "\n"], Append(answer, Byte('a'), 258, Byte('\n')));
        Assert.Null(answer.Finished);
    }

    [Fact]
    public void A_stop_text_split_over_tokens_ends_the_answer_and_is_not_part_of_it()
    {
        var answer = Begin(new GenerationSettings { Stop = ["hello!"] });

        Assert.Equal(["x", "", "", "", ""], Append(answer, Byte('x'), 256, 257, Byte('o'), Byte('!')));
        Assert.Equal(FinishReason.Stop, answer.Finished);
        Assert.Equal("", answer.End(FinishReason.Length));
    }

    [Fact]
    public void What_was_held_back_comes_out_as_soon_as_it_cannot_be_a_stop_text()
    {
        var answer = Begin(new GenerationSettings { Stop = ["hello!"] });

        Assert.Equal(["", "", "hello?", "y"], Append(answer, 258, Byte('o'), Byte('?'), Byte('y')));
    }

    [Fact]
    public void Only_what_may_still_be_a_stop_text_is_held_back()
    {
        var answer = Begin(new GenerationSettings { Stop = ["aab"] });

        Assert.Equal(["", "", "a", "a", "a"], Append(answer, Byte('a'), Byte('a'), Byte('a'), Byte('a'), Byte('a')));
        Assert.Equal("", answer.Append(Byte('b')));
        Assert.Equal(FinishReason.Stop, answer.Finished);
    }

    [Fact]
    public void The_stop_text_that_begins_first_cuts_the_answer()
    {
        var answer = Begin(new GenerationSettings { Stop = ["ll", "el"] });

        Assert.Equal(["h"], Append(answer, 258));
        Assert.Equal(FinishReason.Stop, answer.Finished);
    }

    [Fact]
    public void A_stop_text_within_another_ends_the_answer_at_once()
    {
        var answer = Begin(new GenerationSettings { Stop = ["abcd", "bc"] });

        Assert.Equal(["", "", "a"], Append(answer, Byte('a'), Byte('b'), Byte('c')));
        Assert.Equal(FinishReason.Stop, answer.Finished);
    }

    [Fact]
    public void An_end_token_ends_the_answer_and_what_was_held_back_is_in_it()
    {
        var answer = Begin(new GenerationSettings { Stop = ["hello!"] });

        Assert.Equal(["", "hell"], Append(answer, 258, End));
        Assert.Equal(FinishReason.Stop, answer.Finished);
        Assert.Throws<InvalidOperationException>(() => answer.Append(Byte('a')));
    }

    [Fact]
    public void An_end_token_goes_by_where_the_settings_say_so()
    {
        var answer = Begin(new GenerationSettings { IgnoreEndTokens = true, MaxTokens = 3 });

        Assert.Equal(["a", "", "b"], Append(answer, Byte('a'), End, Byte('b')));
        Assert.Equal(FinishReason.Length, answer.Finished);
    }

    [Fact]
    public void The_last_token_brings_out_everything()
    {
        var answer = Begin(new GenerationSettings { Stop = ["hello!"], MaxTokens = 2 });

        Assert.Equal(["", "hello"], Append(answer, 258, Byte('o')));
        Assert.Equal(FinishReason.Length, answer.Finished);
    }

    [Fact]
    public void A_stop_text_in_the_last_token_is_a_stop()
    {
        var answer = Begin(new GenerationSettings { Stop = ["lo"], MaxTokens = 2 });

        Assert.Equal(["hel", "l"], Append(answer, 258, Byte('o')).Select((text, i) => i == 0 ? text : text + (answer.Finished == FinishReason.Stop ? "l" : "?")));
    }

    [Fact]
    public void Half_a_character_is_never_given_out()
    {
        var answer = Begin(new GenerationSettings());
        var bytes = Encoding.UTF8.GetBytes("é😀").Select(value => (int)value).ToArray();

        Assert.Equal(["", "é", "", "", "", "😀"], Append(answer, bytes));
    }

    [Fact]
    public void Half_a_character_at_the_end_becomes_a_replacement()
    {
        var answer = Begin(new GenerationSettings { MaxTokens = 2 });

        Assert.Equal(["a", "\uFFFD"], Append(answer, Byte('a'), 0xC3));
    }

    [Fact]
    public void A_stop_text_that_only_the_end_completes_is_cut_out()
    {
        var answer = Begin(new GenerationSettings { Stop = ["a\uFFFD"], MaxTokens = 3 });

        Assert.Equal(["x", "", ""], Append(answer, Byte('x'), Byte('a'), 0xC3));
        Assert.Equal(FinishReason.Stop, answer.Finished);
    }

    [Theory]
    [InlineData(FinishReason.Cancelled)]
    [InlineData(FinishReason.Length)]
    public void An_answer_ended_from_outside_gives_out_what_was_held_back(FinishReason reason)
    {
        var answer = Begin(new GenerationSettings { Stop = ["hello!"] });
        Append(answer, 258);

        Assert.Equal("hell", answer.End(reason));
        Assert.Equal(reason, answer.Finished);
        Assert.Equal("", answer.End(FinishReason.Stop));
        Assert.Equal(reason, answer.Finished);
    }

    [Fact]
    public void The_pieces_make_up_the_text_up_to_the_first_stop() => Gen.Int[0, 4].Array[1, 30].Select(Gen.Int[0, 5]).Sample((tokens, chosen) =>
    {
        var stop = new[] { "ab", "b", "aab", "hella", "é", "bé!" }[chosen];
        int[][] words = [[Byte('a')], [Byte('b')], [258], [.. Encoding.UTF8.GetBytes("é").Select(value => (int)value)], [Byte('!')]];
        int[] ids = [.. tokens.SelectMany(token => words[token])];
        var answer = Begin(new GenerationSettings { Stop = [stop], MaxTokens = ids.Length });
        var text = new StringBuilder();
        foreach (var id in ids)
        {
            text.Append(answer.Append(id));
            if (answer.Finished is not null)
            {
                break;
            }
        }

        var whole = Tokenizer.Decode(ids);
        var at = whole.IndexOf(stop, StringComparison.Ordinal);
        Assert.Equal(at < 0 ? whole : whole[..at], text.ToString());
        Assert.Equal(at < 0 ? FinishReason.Length : FinishReason.Stop, answer.Finished);
    });

    private static AnswerText Begin(GenerationSettings settings) => new(Tokenizer, settings, [End]);

    private static string[] Append(AnswerText answer, params int[] tokens) => [.. tokens.Select(answer.Append)];

    private static int Byte(char character) => character;
}
