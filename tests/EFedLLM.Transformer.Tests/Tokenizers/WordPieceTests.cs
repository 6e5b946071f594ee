using System.Text;
using System.Text.Json.Nodes;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace EFedLLM.Transformer.Tests.Tokenizers;

public sealed class WordPieceTests : IDisposable
{
    private const string Model = "bert-tiny-sst2";

    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedFact]
    public void Sentences_get_the_ids_of_the_reference()
    {
        var tokenizer = ModelTokenizer.Load(SharedModels.Model(Model));
        foreach (var sentence in SharedModels.Golden(Model).GetProperty("sentences").EnumerateArray())
        {
            Assert.Equal(sentence.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), tokenizer.Encode(sentence.GetProperty("text").GetString()!));
        }
    }

    [SharedFact]
    public void A_thousand_sentences_get_the_ids_of_another_implementation()
    {
        var tokenizer = ModelTokenizer.Load(SharedModels.Model(Model));
        var other = BertTokenizer.Create(Path.Combine(SharedModels.Model(Model), "vocab.txt"));

        // Letters, digits, spaces and what Unicode calls punctuation, all ASCII: the rest the other one drops, or needs ICU for.
        var lines = File.ReadLines(SharedModels.Data("sst2/dev.tsv")).Concat(File.ReadLines(SharedModels.Data("sst2/train-2000.tsv")))
            .Select(line => line.Split('\t')[0]).Where(IsPlain).ToArray();

        Assert.True(lines.Length > 1000, $"only {lines.Length} lines");
        Assert.All(lines, line => Assert.Equal(other.EncodeToIds(line), tokenizer.Encode(line)));
    }

    [Theory]
    [InlineData("the cat", new[] { 5, 6 })]
    [InlineData("THE Cats!", new[] { 5, 6, 7, 8 })]
    [InlineData("cat\u0301 \u00E7at", new[] { 6, 6 })]
    [InlineData("ca\u200Bt\u0000 \u00A0the\r\n\u2028the", new[] { 6, 5, 5 })]
    [InlineData("cat!the", new[] { 6, 8, 5 })]
    [InlineData("the\u4F60\u4F60cat", new[] { 5, 9, 9, 6 })]
    [InlineData("theq cat", new[] { 1, 6 })]
    [InlineData("catss", new[] { 6, 7, 7 })]
    [InlineData("\u00BFcat$", new[] { 1, 6, 1 })]
    [InlineData("[SEP]cat[UNK]", new[] { 3, 6, 1 })]
    [InlineData("\u0130", new[] { 10 })]
    [InlineData("", new int[0])]
    public void Text_is_cut_as_BERT_does(string text, int[] ids)
    {
        var tokenizer = TinyTokenizer.Load(Json());

        Assert.Equal(ids, tokenizer.Encode(text, addSpecial: false));
        Assert.Equal([2, .. ids, 3], tokenizer.Encode(text));
    }

    [Fact]
    public void Accents_and_capitals_stay_where_the_normalizer_says_so()
    {
        var json = Json();
        json["normalizer"] = TinyTokenizer.Parse("""{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":false,"strip_accents":false,"lowercase":false}""");
        var tokenizer = TinyTokenizer.Load(json);

        Assert.Equal([1, 1, 6, 1], tokenizer.Encode("THE \u00E7at cat the\u4F60", addSpecial: false));
    }

    [Fact]
    public void A_word_too_long_is_unknown_and_counted_in_characters()
    {
        var tokenizer = TinyTokenizer.Load(Json());

        Assert.Equal([6, .. Enumerable.Repeat(7, 97)], tokenizer.Encode("cat" + new string('s', 97), addSpecial: false));
        Assert.Equal([1], tokenizer.Encode("cat" + new string('s', 98), addSpecial: false));
        Assert.Equal([11, .. Enumerable.Repeat(12, 99)], tokenizer.Encode(string.Concat(Enumerable.Repeat("\U0001040F", 100)), addSpecial: false));
    }

    [Fact]
    public void Words_get_their_spaces_back()
    {
        var tokenizer = TinyTokenizer.Load(Json());

        Assert.Equal("the cats! cat", tokenizer.Decode(tokenizer.Encode("The cats! cat")));
        Assert.Equal("[CLS] the cats [SEP]", tokenizer.Decode(tokenizer.Encode("the cats"), skipSpecial: false));
        Assert.Equal("cats", tokenizer.Decode([6, 7]));
    }

    [Fact]
    public void BertProcessing_puts_the_same_tokens_around_a_text()
    {
        var json = Json();
        json["post_processor"] = TinyTokenizer.Parse("""{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]}""");

        Assert.Equal([2, 6, 3], TinyTokenizer.Load(json).Encode("cat"));
    }

    [Theory]
    [InlineData("unk_token", "\"nobody\"")]
    [InlineData("max_input_chars_per_word", "0")]
    [InlineData("max_input_chars_per_word", "1000000")]
    [InlineData("continuing_subword_prefix", "3")]
    public void Nonsense_is_refused_by_its_name(string key, string value)
    {
        var json = Json();
        json["model"]![key] = TinyTokenizer.Parse(value);

        Assert.Contains(key, Assert.Throws<InvalidDataException>(() => TinyTokenizer.Load(json)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_tokenizer_is_read_or_refused_clearly() => HostileFiles.Sample(
        Encoding.UTF8.GetBytes(Json().ToJsonString()),
        bytes =>
        {
            _folder.Write("tokenizer.json", bytes);
            var tokenizer = ModelTokenizer.Load(_folder.Path);
            tokenizer.Decode(tokenizer.Encode("the \u00C7ats! \u4F60 [SEP] \U00010437"));
        });

    private static bool IsPlain(string line) => Ascii.IsValid(line) && line.All(character => char.IsLetterOrDigit(character) || char.IsPunctuation(character) || character == ' ');

    private static JsonObject Json()
    {
        string[] tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "!", "\u4F60", "i", "\U00010437", "##\U00010437"];
        return new JsonObject
        {
            ["added_tokens"] = new JsonArray([.. Enumerable.Range(0, 5).Select(id => TinyTokenizer.Added(id, tokens[id]))]),
            ["normalizer"] = TinyTokenizer.Parse("""{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}"""),
            ["pre_tokenizer"] = TinyTokenizer.Parse("""{"type":"BertPreTokenizer"}"""),
            ["post_processor"] = TinyTokenizer.Parse("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}}],"special_tokens":{"[CLS]":{"id":"[CLS]","ids":[2],"tokens":["[CLS]"]},"[SEP]":{"id":"[SEP]","ids":[3],"tokens":["[SEP]"]}}}"""),
            ["decoder"] = TinyTokenizer.Parse("""{"type":"WordPiece","prefix":"##","cleanup":true}"""),
            ["model"] = new JsonObject
            {
                ["type"] = "WordPiece",
                ["unk_token"] = "[UNK]",
                ["continuing_subword_prefix"] = "##",
                ["max_input_chars_per_word"] = 100,
                ["vocab"] = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create<string, JsonNode?>(token, id))),
            },
        };
    }
}
