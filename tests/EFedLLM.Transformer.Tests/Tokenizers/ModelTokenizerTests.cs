using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Tokenizers;

public sealed class ModelTokenizerTests
{
    private static readonly string[] Hard = ["hell", "he", "ll", " ", "  ", "\n", "\u00E9", "e\u0301", "\u4F60", "\U0001F600", "\U00020000", "\u2581", "<s>", "</s>", "<|end|>", "<0x41>", "1", "'s", "\0", "\uFFFD"];

    /// <summary>Texts with everything that is hard: letters of many scripts, marks, symbols beyond the basic plane, spaces, and what looks like tokens.</summary>
    private static readonly Gen<string> Texts = Gen.OneOf(
        Gen.Char['a', 'c'].Select(character => character.ToString()),
        Gen.Int[0, Hard.Length - 1].Select(i => Hard[i]),
        Gen.Int[0x80, 0x10FFFF].Where(value => value is < 0xD800 or > 0xDFFF).Select(char.ConvertFromUtf32)).Array[0, 24].Select(string.Concat);

    [Fact]
    public void Merges_happen_in_their_order_and_bytes_are_what_is_left()
    {
        var tokenizer = TinyTokenizer.Load(TinyTokenizer.ByteLevel());

        Assert.Equal([258, 'o'], tokenizer.Encode("hello"));
        Assert.Equal("hello \u00E9\U0001F600", tokenizer.Decode(tokenizer.Encode("hello \u00E9\U0001F600")));
        Assert.Equal([259, 258], tokenizer.Encode("<|end|>hell"));
        Assert.Equal(261, tokenizer.VocabularySize);
    }

    [Fact]
    public void The_begin_token_comes_from_the_post_processor_alone()
    {
        var spaced = TinyTokenizer.Load(TinyTokenizer.Spaced());

        Assert.Equal([1, spaced.TokenId("\u2581ab")!.Value], spaced.Encode("ab"));
        Assert.Equal([spaced.TokenId("\u2581ab")!.Value], spaced.Encode("ab", addSpecial: false));
        Assert.Equal([1, spaced.TokenId("\u2581ab")!.Value], spaced.Encode([new PromptSegment("ab", IsTrusted: false)]));
        Assert.Equal([1, spaced.TokenId("\u2581ab")!.Value], spaced.Encode([new PromptSegment("<s>", IsTrusted: true), new PromptSegment("ab", IsTrusted: false)]));
        Assert.Equal([1], spaced.Encode(""));
        Assert.Empty(spaced.Encode("", addSpecial: false));
        Assert.Equal([1], spaced.Encode([]));
    }

    [Fact]
    public void Characters_outside_the_vocabulary_fall_back_to_their_bytes()
    {
        var tokenizer = TinyTokenizer.Load(TinyTokenizer.Spaced());

        var ids = tokenizer.Encode("a\u00E9b", addSpecial: false);

        Assert.Equal(["\u2581a", "<0xC3>", "<0xA9>", "b"], ids.Select(id => tokenizer.Token(id)));
        Assert.Equal("a\u00E9b", tokenizer.Decode(ids));
    }

    [Theory]
    [InlineData(true, new[] { 0, 1, 0 })]
    [InlineData(false, new[] { 0, 0, 1, 0 })]
    public void Without_byte_tokens_unknown_characters_become_one_id_or_one_each(bool fuses, int[] expected)
    {
        var json = TinyTokenizer.ByteLevel();
        json["pre_tokenizer"] = null;
        json["added_tokens"] = null;
        json["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = new JsonObject { ["?"] = 0, ["a"] = 1 }, ["merges"] = new JsonArray(), ["unk_token"] = "?", ["fuse_unk"] = fuses };

        Assert.Equal(expected, TinyTokenizer.Load(json).Encode("xyaz"));
    }

    [Fact]
    public void A_word_that_is_a_token_is_taken_whole_where_merges_are_ignored()
    {
        var json = TinyTokenizer.ByteLevel();
        json["model"]!["vocab"]!["abc"] = 300;
        Assert.Equal(3, TinyTokenizer.Load(json).Encode("abc").Length);
        json["model"]!["ignore_merges"] = true;
        var tokenizer = TinyTokenizer.Load(json);

        Assert.Equal([300], tokenizer.Encode("abc"));
        Assert.Equal(4, tokenizer.Encode("abcd").Length);
    }

    [Theory]
    [InlineData("lstrip", "a  <x>  b", "a|<x>|  b")]
    [InlineData("rstrip", "a  <x>  b", "a  |<x>|b")]
    [InlineData("single_word", "a<x> <x>b <x>", "a<x> <x>b |<x>")]
    public void Added_tokens_take_the_space_around_them_and_stand_alone_as_they_say(string flag, string text, string expected)
    {
        var json = TinyTokenizer.ByteLevel();
        json["added_tokens"]!.AsArray().Add(TinyTokenizer.Added(261, "<x>", special: false, flag));
        var tokenizer = TinyTokenizer.Load(json);
        var parts = new List<string> { "" };
        foreach (var id in tokenizer.Encode(text))
        {
            if (id == 261)
            {
                parts.AddRange(["<x>", ""]);
            }
            else
            {
                parts[^1] += tokenizer.TokenText(id);
            }
        }

        Assert.Equal(expected, string.Join('|', parts).TrimEnd('|'));
    }

    [Fact]
    public void The_longest_of_the_added_tokens_that_begin_at_a_place_counts()
    {
        var json = TinyTokenizer.ByteLevel();
        json["added_tokens"]!.AsArray().Add(TinyTokenizer.Added(261, "<|end|>!"));

        Assert.Equal([261, 259], TinyTokenizer.Load(json).Encode("<|end|>!<|end|>"));
    }

    [Fact]
    public void An_added_token_that_is_normalised_is_found_in_normalised_text()
    {
        var json = TinyTokenizer.Spaced();
        var token = TinyTokenizer.Added(400, "b c", special: false);
        token["normalized"] = true;
        json["added_tokens"]!.AsArray().Add(token);
        var tokenizer = TinyTokenizer.Load(json);

        // Normalised, the token is "\u2581b\u2581c", so it is found behind a space only.
        Assert.Equal(["\u2581a", "b c"], tokenizer.Encode("a b c", addSpecial: false).Select(id => tokenizer.Token(id)));
        Assert.DoesNotContain(400, tokenizer.Encode("ab c"));
    }

    [Fact]
    public void Special_tokens_in_what_a_user_wrote_stay_text() => Texts.Sample(text =>
    {
        foreach (var tokenizer in new[] { ByteLevel.Value, Spaced.Value })
        {
            var ids = tokenizer.Encode([new PromptSegment(text, IsTrusted: false)]);
            var own = ids.Length > 0 && ids[0] == 1 && tokenizer == Spaced.Value ? ids[1..] : ids;

            Assert.DoesNotContain(own, tokenizer.IsSpecial);
            Assert.Equal(tokenizer == Spaced.Value ? text.Replace('\u2581', ' ') : text, tokenizer.Decode(own, skipSpecial: false));
        }
    });

    [Fact]
    public void Half_a_special_token_of_the_template_and_half_of_a_message_make_none()
    {
        var ids = ByteLevel.Value.Encode([new("<|end", true), new("|>", false), new("<|end|>", true), new("<|", false), new("end|>", true)]);

        Assert.Single(ids, ByteLevel.Value.IsSpecial);
        Assert.Equal("<|end|><|end|><|end|>", ByteLevel.Value.Decode(ids, skipSpecial: false));
    }

    [Fact]
    public void Plain_text_runs_across_segments() => Gen.Select(Texts, Gen.Int[0, 8].Array[0, 4]).Sample((text, cuts) =>
    {
        var places = cuts.Select(cut => Math.Min(cut, text.Length)).Append(0).Append(text.Length).Order().ToArray();
        if (places.Any(place => place > 0 && place < text.Length && char.IsLowSurrogate(text[place])))
        {
            return;
        }

        var segments = places.Zip(places.Skip(1), (start, end) => new PromptSegment(text[start..end], IsTrusted: false)).ToArray();
        Assert.Equal(Spaced.Value.Encode([new PromptSegment(text, false)]), Spaced.Value.Encode(segments));
    });

    [Fact]
    public void Text_comes_back_from_its_ids() => Texts.Sample(text =>
    {
        Assert.Equal(text, ByteLevel.Value.Decode(ByteLevel.Value.Encode(text), skipSpecial: false));
        var plain = text.Replace("<s>", "", StringComparison.Ordinal).Replace("</s>", "", StringComparison.Ordinal);
        Assert.Equal(plain.Replace('\u2581', ' '), Spaced.Value.Decode(Spaced.Value.Encode(plain)));
    });

    [Fact]
    public void Pieces_of_a_stream_join_to_the_decoded_text_and_never_split_a_character() => Gen.Select(Gen.Bool, Gen.Int[-2, 300].Array[0, 40], Gen.Bool).Sample((spaced, ids, skips) =>
    {
        var tokenizer = spaced ? Spaced.Value : ByteLevel.Value;
        var decoder = tokenizer.CreateDecoder(skips);
        for (var round = 0; round < 2; round++)
        {
            string[] pieces = [.. ids.Select(decoder.Append), decoder.Flush()];

            Assert.All(pieces, piece => Assert.Equal(piece, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(piece))));
            Assert.Equal(tokenizer.Decode(ids, skips), string.Concat(pieces));
            Assert.Equal(spaced ? SpacedText(tokenizer, ids, skips) : ByteLevelText(tokenizer, ids, skips), string.Concat(pieces));
        }
    });

    [Fact]
    public void A_character_of_several_tokens_is_given_out_whole() => Texts.Sample(text =>
    {
        foreach (var tokenizer in new[] { ByteLevel.Value, Spaced.Value })
        {
            var decoder = tokenizer.CreateDecoder(skipSpecial: false);
            foreach (var id in tokenizer.Encode([new PromptSegment(text.Replace("\uFFFD", "", StringComparison.Ordinal), false)]))
            {
                Assert.DoesNotContain('\uFFFD', decoder.Append(id));
            }

            Assert.DoesNotContain('\uFFFD', decoder.Flush());
        }
    });

    [Fact]
    public void Half_a_surrogate_pair_is_encoded_as_the_replacement_character()
    {
        Assert.Equal("a\uFFFDb", ByteLevel.Value.Decode(ByteLevel.Value.Encode("a\uD83Db")));
        Assert.Equal("a\uFFFDb", Spaced.Value.Decode(Spaced.Value.Encode("a\uDE00b")));
    }

    [Fact]
    public void Tokens_can_be_looked_up_both_ways()
    {
        Assert.Equal(258, ByteLevel.Value.TokenId("hell"));
        Assert.Null(ByteLevel.Value.TokenId("nothing"));
        Assert.Equal("hell", ByteLevel.Value.Token(258));
        Assert.Null(ByteLevel.Value.Token(9999));
        Assert.Equal("", ByteLevel.Value.TokenText(-1));
        Assert.Equal("\uFFFD", ByteLevel.Value.TokenText(ByteLevel.Value.Encode("\u00E9")[0]));
        Assert.Equal([0xC3], ByteLevel.Value.TokenBytes(ByteLevel.Value.Encode("\u00E9")[0]));
        Assert.True(ByteLevel.Value.IsSpecial(259));
        Assert.False(ByteLevel.Value.IsSpecial(258));
    }

    [Theory]
    [InlineData(' ')]
    [InlineData('a')]
    [InlineData('\u00E9')]
    [InlineData('l')]
    public void A_megabyte_of_one_character_does_not_take_for_ever(char character)
    {
        var text = new string(character, 1 << 20);

        foreach (var tokenizer in new[] { ByteLevel.Value, Spaced.Value })
        {
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void A_pattern_that_takes_for_ever_is_stopped()
    {
        var json = TinyTokenizer.ByteLevel();
        json["pre_tokenizer"] = JsonNode.Parse("""{"type":"Split","pattern":{"Regex":"(?:h|h.?|l|l.?)+o"},"behavior":"Isolated"}""");
        var tokenizer = TinyTokenizer.Load(json);

        Assert.Contains("(?:h|h.?|l|l.?)+o", Assert.Throws<InvalidDataException>(() => tokenizer.Encode("o" + new string('h', 5000) + "x")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_a_tokenizer_says_what_is_missing()
    {
        using var folder = new ScratchFolder();

        Assert.Contains("tokenizer.json", Assert.Throws<FileNotFoundException>(() => ModelTokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.type", "\"Unigram\"", "Unigram")]
    [InlineData("model.type", "\"WordLevel\"", "WordLevel")]
    [InlineData("model.dropout", "0.1", "dropout")]
    [InlineData("model.end_of_word_suffix", "\"</w>\"", "end_of_word_suffix")]
    [InlineData("model.merges", """[["h h","e"]]""", "spaces")]
    [InlineData("normalizer", """{"type":"NFKC"}""", "NFKC")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"Lowercase"}]}""", "Lowercase")]
    [InlineData("pre_tokenizer", """{"type":"CharDelimiterSplit"}""", "CharDelimiterSplit")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a++"},"behavior":"Isolated"}""", "a++")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a"},"behavior":"Shuffled"}""", "Shuffled")]
    [InlineData("post_processor", """{"type":"RobertaProcessing"}""", "RobertaProcessing")]
    [InlineData("decoder", """{"type":"CTC"}""", "CTC")]
    [InlineData("decoder", "null", "decoder")]
    public void What_is_not_supported_is_refused_by_name(string part, string json, string name) =>
        Assert.Contains(name, Assert.Throws<NotSupportedException>(() => TinyTokenizer.Load(Changed(part, json))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("model", "null", "model")]
    [InlineData("model.vocab", "{}", "vocab")]
    [InlineData("model.vocab", """{"a":0,"b":0}""", "vocab")]
    [InlineData("model.vocab", """{"a":-1}""", "vocab")]
    [InlineData("model.vocab", """{"a":4194304}""", "vocab")]
    [InlineData("model.vocab", """{"":0}""", "vocab")]
    [InlineData("model.merges", """["h e","h e"]""", "merge")]
    [InlineData("model.merges", """["q q"]""", "merge")]
    [InlineData("model.merges", """["he"]""", "merge")]
    [InlineData("model.merges", """[["h","e","l"]]""", "merge")]
    [InlineData("model.merges", "7", "merges")]
    [InlineData("model.unk_token", "\"<none>\"", "unk_token")]
    [InlineData("added_tokens", """[{"id":1}]""", "content")]
    [InlineData("added_tokens", """[{"id":99999999,"content":"x"}]""", "id")]
    [InlineData("added_tokens", "{}", "added_tokens")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[]}""", "post_processor")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{}}""", "post_processor")]
    [InlineData("pre_tokenizer", """{"type":"Sequence"}""", "pre_tokenizer")]
    public void What_is_malformed_is_refused_with_the_name_of_the_part(string part, string json, string name) =>
        Assert.Contains(name, Assert.Throws<InvalidDataException>(() => TinyTokenizer.Load(Changed(part, json))).Message, StringComparison.Ordinal);

    private static Lazy<ModelTokenizer> ByteLevel { get; } = new(() => TinyTokenizer.Load(TinyTokenizer.ByteLevel()));

    private static Lazy<ModelTokenizer> Spaced { get; } = new(() => TinyTokenizer.Load(TinyTokenizer.Spaced()));

    private static JsonObject Changed(string part, string json)
    {
        var file = TinyTokenizer.ByteLevel();
        var names = part.Split('.');
        var parent = names.Length == 1 ? file : file[names[0]]!.AsObject();
        parent[names[^1]] = JsonNode.Parse(json);
        return file;
    }

    /// <summary>What the reference decodes, all ids at once: the tokens' bytes joined, invalid ones replaced.</summary>
    private static string ByteLevelText(ModelTokenizer tokenizer, int[] ids, bool skips) =>
        Encoding.UTF8.GetString([.. Tokens(tokenizer, ids, skips).SelectMany(DecodingPlan.Bytes)]);

    /// <summary>What the reference decodes, all ids at once: runs of byte tokens are text as a whole or not at all.</summary>
    private static string SpacedText(ModelTokenizer tokenizer, int[] ids, bool skips)
    {
        var text = new StringBuilder();
        var run = new List<byte>();
        foreach (var token in Tokens(tokenizer, ids, skips).Append(""))
        {
            if (token.StartsWith("<0x", StringComparison.Ordinal))
            {
                run.Add(Convert.FromHexString(token[3..5])[0]);
                continue;
            }

            var decoded = Encoding.UTF8.GetString([.. run]);
            text.Append(Encoding.UTF8.GetBytes(decoded).SequenceEqual(run) ? decoded : new string('\uFFFD', run.Count)).Append(token.Replace('\u2581', ' '));
            run.Clear();
        }

        return text.Length > 0 && text[0] == ' ' ? text.ToString(1, text.Length - 1) : text.ToString();
    }

    private static IEnumerable<string> Tokens(ModelTokenizer tokenizer, int[] ids, bool skips) =>
        ids.Where(id => tokenizer.Token(id) is not null && !(skips && tokenizer.IsSpecial(id))).Select(id => tokenizer.Token(id)!);
}
