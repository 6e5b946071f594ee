using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Checkpoints.Gguf;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Gguf;

public sealed class GgufTokenizerTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedTheory]
    [InlineData("stories260K", "llama")]
    [InlineData("stories3M", "llama")]
    [InlineData("tokenizer-llama2", "llama")]
    [InlineData("efed-mini", "gpt-2")]
    [InlineData("tokenizer-smollm2", "smollm")]
    public void Texts_get_the_ids_of_the_original_tokenizer(string name, string pre)
    {
        var original = SharedModels.Model(name);
        var tokenizer = ModelTokenizer.Load(Write(pre == "llama" ? new GgufWriter().AddSentencePiece(original) : new GgufWriter().AddBytePairs(original, pre)));
        var reference = ModelTokenizer.Load(original);
        var golden = SharedModels.Golden(name);
        var cases = golden.TryGetProperty("cases", out var named) ? named : golden.GetProperty("tokenizer_cases");

        foreach (var entry in cases.EnumerateArray())
        {
            var text = entry.GetProperty("text").GetString()!;
            var ids = tokenizer.Encode(text);
            Assert.Equal(entry.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), ids);
            Assert.Equal(reference.Decode(ids), tokenizer.Decode(ids));
        }

        var book = File.ReadAllText(SharedModels.Data("shakespeare/tinyshakespeare.txt"))[..60000];
        Assert.Equal(reference.Encode(book), tokenizer.Encode(book));
        Assert.Equal(reference.VocabularySize, tokenizer.VocabularySize);
    }

    [SharedFact]
    public void A_chat_is_written_and_encoded_as_by_the_original()
    {
        var original = SharedModels.Model("efed-mini");
        var path = Write(new GgufWriter().AddBytePairs(original, "gpt-2")
            .Add("tokenizer.ggml.eos_token_id", 2u)
            .Add("tokenizer.chat_template", "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"));
        ChatMessage[] chat = [new("system", "Be brief."), new("user", "Say <|im_end|> twice.")];

        var template = ChatTemplate.Recognise(path);

        Assert.Equal("chatml", template.Name);
        Assert.Equal(
            ModelTokenizer.Load(original).Encode(ChatTemplate.Recognise(original).Render(chat)),
            ModelTokenizer.Load(path).Encode(template.Render(chat)));
    }

    [SharedFact]
    public void A_model_folder_of_the_companions_has_the_same_tokenizer_and_shape()
    {
        var original = SharedModels.Model("stories260K");
        using var source = Checkpoint.Open(original);
        var path = _folder.Write("model.gguf", GgufExport.Write(source, "llama", GgufType.F16).File.AddSentencePiece(original).Add("tokenizer.ggml.padding_token_id", 0u).ToArray());
        using var copy = new ScratchFolder();
        foreach (var name in CompanionFiles.Names)
        {
            if (CompanionFiles.Read(path, name, 1 << 20) is { } bytes)
            {
                copy.Write(name, bytes);
                Assert.Equal(bytes, CompanionFiles.Read(path, name, 1 << 20));
            }
        }

        Assert.Equal(["config.json", "tokenizer.json", "tokenizer_config.json"], Directory.EnumerateFiles(copy.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        var shape = ConfigReader.Read(copy.Path, ConfigReader.ReadBytes(copy.Path));
        Assert.Equal([2], shape.EndTokens.AsEnumerable());
        Assert.Equal(source.Shape with { EndTokens = default }, shape with { EndTokens = default });
        const string Text = "Once upon a time, <s> there was a Zürich 東京 🎉 .\n\n Two  spaces";
        Assert.Equal(ModelTokenizer.Load(original).Encode(Text), ModelTokenizer.Load(copy.Path).Encode(Text));
        Assert.Equal("plain", ChatTemplate.Recognise(path).Name);
        Assert.Throws<InvalidDataException>(() => CompanionFiles.Read(path, "tokenizer.json", 100));
    }

    [Theory]
    [InlineData("llama-bpe", "Don't we'LL 12345 x\n\n  y", "Don|'t| we|'LL| |123|45| x|\n\n| | y")]
    [InlineData("qwen2", "Don't we'LL 12345 x\n\n  y", "Don|'t| we|'LL| |1|2|3|4|5| x|\n\n| | y")]
    [InlineData("gpt-2", "Don't we'LL 12345 x\n\n  y", "Don|'t| we|'|LL| 12345| x|\n\n | y")]
    [InlineData("smollm", "Don't we'LL 123 x", "Don|'t| we|'|LL| |1|2|3| x")]
    [InlineData("tekken", "DoNot we 12//\n z", "Do|Not| we| |1|2|//\n| z")]
    [InlineData("deepseek-coder", "a_b = 12\n!c", "a|_|b| = |1|2|\n|!|c")]
    [InlineData("default", "a+b 1234!", "a|+|b| |123|4|!")]
    public void Text_is_cut_into_words_as_the_pre_tokenizer_s_name_says(string pre, string text, string words)
    {
        // With merges of everything inside a word, each word becomes one token.
        var parts = words.Split('|');
        var tokenizer = ModelTokenizer.Load(Write(TinyBytePairs(parts).Add("tokenizer.ggml.pre", pre)));

        var ids = tokenizer.Encode(text, addSpecial: false);

        Assert.Equal(parts, ids.Select(tokenizer.TokenText));
    }

    [Theory]
    [InlineData("llama-bpe", null, true)]
    [InlineData("llama-bpe", false, false)]
    [InlineData("qwen2", null, false)]
    [InlineData("qwen2", true, true)]
    public void A_begin_token_goes_in_front_as_the_file_or_its_kind_says(string pre, bool? says, bool expected)
    {
        var writer = TinyBytePairs(["ab"]).Add("tokenizer.ggml.pre", pre).Add("tokenizer.ggml.bos_token_id", 256u).Add("tokenizer.ggml.eos_token_id", 257u).Add("tokenizer.ggml.add_eos_token", true);
        if (says is { } flag)
        {
            writer.Add("tokenizer.ggml.add_bos_token", flag);
        }

        var tokenizer = ModelTokenizer.Load(Write(writer));

        Assert.Equal(expected ? [256, 258, 257] : [258, 257], tokenizer.Encode("ab"));
        Assert.Equal([256, 258], tokenizer.Encode("<|begin|>ab", addSpecial: false));
    }

    [Fact]
    public void Without_a_space_in_front_none_is_added()
    {
        GgufWriter Spaced() => new GgufWriter()
            .Add("tokenizer.ggml.model", "llama")
            .Add("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>", "\u2581", "a", "b", "ab", "\u2581ab", "<note>", "", "<unk>"])
            .Add("tokenizer.ggml.scores", [0f, 0f, 0f, -3f, -4f, -5f, -1f, -2f, 0f, 0f, 0f])
            .Add("tokenizer.ggml.token_type", [2, 3, 3, 1, 1, 1, 1, 1, 4, 5, 5]);

        Assert.Equal([1, 7, 8, 7], ModelTokenizer.Load(Write(Spaced())).Encode("ab<note>ab"));

        // -1, as some conversions write, means none, and that is the usual one.
        Assert.Equal([1, 7], ModelTokenizer.Load(Write(Spaced().Add("tokenizer.ggml.bos_token_id", uint.MaxValue).Add("tokenizer.ggml.padding_token_id", uint.MaxValue))).Encode("ab"));
        var plain = ModelTokenizer.Load(Write(Spaced().Add("tokenizer.ggml.add_space_prefix", false).Add("tokenizer.ggml.add_bos_token", false)));
        Assert.Equal([6, 7, 8, 6, 0], plain.Encode("ab ab<note>abx"));
        Assert.Equal("ab ab", plain.Decode([6, 7]));
    }

    [Fact]
    public void A_generation_ends_at_every_token_that_is_known_to_end_one()
    {
        using var original = new Blocks.RandomCheckpoint(41, ("vocab_size", "300"));
        var writer = GgufExport.Write(original.Source, "llama", GgufType.F32).File;
        AddTiny(writer, ["ab"], "<|begin|>", "<|eot_id|>", "<|im_end|>").Add("tokenizer.ggml.pre", "llama-bpe")
            .Add("tokenizer.ggml.bos_token_id", 256u).Add("tokenizer.ggml.eos_token_id", 257u);

        using var model = Checkpoint.Open(Write(writer));

        Assert.Equal([257, 258], model.Shape.EndTokens.AsEnumerable());
        Assert.Equal(256, model.Shape.BeginToken);
    }

    [Theory]
    [InlineData("tokenizer.ggml.model", "bert")]
    [InlineData("tokenizer.ggml.pre", "kimi-k2")]
    public void A_tokenizer_that_is_not_known_is_refused_by_its_key(string key, string value)
    {
        var path = Write(TinyBytePairs(["ab"]).Add("tokenizer.ggml.pre", "qwen2").Add(key, value));

        var message = Assert.Throws<NotSupportedException>(() => ModelTokenizer.Load(path)).Message;

        Assert.Contains(key, message, StringComparison.Ordinal);
        Assert.Contains(value, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Contradictions_are_refused_by_their_keys()
    {
        AssertRefused("tokenizer.ggml.tokens", writer => writer.Add("tokenizer.ggml.tokens", ["a", "b", "a"]).Remove("tokenizer.ggml.token_type"));
        AssertRefused("tokenizer.ggml.tokens", writer => writer.Remove("tokenizer.ggml.tokens"));
        AssertRefused("tokenizer.ggml.tokens", writer => writer.Add("tokenizer.ggml.tokens", 3u));
        AssertRefused("tokenizer.ggml.token_type", writer => writer.Add("tokenizer.ggml.token_type", [1, 2]));
        AssertRefused("tokenizer.ggml.token_type", writer => writer.Add("tokenizer.ggml.token_type", [.. Enumerable.Repeat(9, 259)]));
        AssertRefused("tokenizer.ggml.eos_token_id", writer => writer.Add("tokenizer.ggml.eos_token_id", "</s>"));
        AssertRefused("tokenizer.ggml.add_bos_token", writer => writer.Add("tokenizer.ggml.add_bos_token", "yes"));
        AssertRefused("tokenizer.ggml.merges", writer => writer.Remove("tokenizer.ggml.merges"));
        AssertRefused("tokenizer.ggml.merges", writer => writer.Add("tokenizer.ggml.merges", ["ab"]));
        AssertRefused("tokenizer.ggml.scores", writer => writer.Add("tokenizer.ggml.model", "llama"));
        AssertRefused("tokenizer.ggml.scores", writer => writer.Add("tokenizer.ggml.model", "llama").Add("tokenizer.ggml.scores", [.. Enumerable.Repeat(float.NaN, 259)]));

        void AssertRefused(string key, Func<GgufWriter, GgufWriter> change)
        {
            var path = Write(change(TinyBytePairs(["ab"]).Add("tokenizer.ggml.pre", "qwen2")));
            var message = Assert.Throws<InvalidDataException>(() => ModelTokenizer.Load(path)).Message;
            Assert.Contains(key, message, StringComparison.Ordinal);
            Assert.Contains(path, message, StringComparison.Ordinal);
        }
    }

    /// <summary>Every byte, two special tokens, and words with the merges that make them from left to right.</summary>
    private static GgufWriter TinyBytePairs(string[] words) => AddTiny(new GgufWriter(), words, "<|begin|>", "<|finish|>");

    private static GgufWriter AddTiny(GgufWriter writer, string[] words, params string[] special)
    {
        var tokens = Enumerable.Range(0, 256).Select(value => ByteAlphabet.Encode([(byte)value])).Concat(special).ToList();
        var merges = new List<string>();
        foreach (var word in words.Select(word => ByteAlphabet.Encode(System.Text.Encoding.UTF8.GetBytes(word))))
        {
            for (var length = 2; length <= word.Length; length++)
            {
                if (!tokens.Contains(word[..length]))
                {
                    tokens.Add(word[..length]);
                    merges.Add($"{word[..(length - 1)]} {word[length - 1]}");
                }
            }
        }

        return writer
            .Add("tokenizer.ggml.model", "gpt2")
            .Add("tokenizer.ggml.tokens", tokens)
            .Add("tokenizer.ggml.token_type", [.. tokens.Select(token => special.Contains(token) ? 3 : 1)])
            .Add("tokenizer.ggml.merges", merges);
    }

    private string Write(GgufWriter writer) => _folder.Write("model.gguf", writer.ToArray());
}
