using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tokenizers;
using Google.Protobuf;

namespace EFedLLM.Transformer.Tests.Tokenizers;

public sealed class SentencePieceTests : IDisposable
{
    private const int Unigram = 1;
    private const int BytePair = 2;

    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Of_equal_pairs_the_first_one_is_joined()
    {
        var tokenizer = Load(BytePair, [("\u2581", -10, 1), ("z", -11, 1), ("zz", -1, 1), ("\u2581z", -2, 1)]);

        Assert.Equal(["\u2581", "zz", "z"], Tokens(tokenizer, "zzz"));
        Assert.Equal(["\u2581", "zz", "zz"], Tokens(tokenizer, "zzzz"));
    }

    [Fact]
    public void A_unigram_model_takes_the_likeliest_pieces()
    {
        var tokenizer = Load(Unigram, [("\u2581", -3, 1), ("a", -3, 1), ("b", -3, 1), ("ab", -4, 1), ("\u2581a", -5, 1)]);

        Assert.Equal(["\u2581", "ab"], Tokens(tokenizer, "ab"));
        Assert.Equal("ab", tokenizer.Decode(tokenizer.Encode("ab")));
    }

    [Theory]
    [InlineData(Unigram)]
    [InlineData(BytePair)]
    public void Unknown_characters_side_by_side_become_one_id(int type)
    {
        var tokenizer = Load(type, [("\u2581", -3, 1), ("a", -3, 1)]);

        Assert.Equal(["\u2581", "a", "<unk>", "a"], Tokens(tokenizer, "aqqa"));
    }

    [Fact]
    public void Control_and_user_defined_pieces_are_found_in_the_text()
    {
        var tokenizer = Load(BytePair, [("\u2581", -3, 1), ("a", -4, 1), ("\n\n", 0, 4)]);

        Assert.Equal([1, 3, 4, 2, 5], tokenizer.Encode("a</s>\n\n"));
        Assert.Equal("\n\n", tokenizer.Decode([1, 2, 5]));
        Assert.DoesNotContain(2, tokenizer.Encode([new PromptSegment("a</s>", IsTrusted: false)]));
    }

    [Fact]
    public void The_configuration_adds_tokens_and_says_whether_the_begin_token_is_put_in_front()
    {
        _folder.Write("tokenizer_config.json", """{"add_bos_token":false,"add_eos_token":true,"added_tokens_decoder":{"9":{"content":"<|im_end|>","special":true}}}""");
        var tokenizer = Load(BytePair, [("\u2581", -3, 1), ("a", -4, 1)]);

        Assert.Equal([3, 4, 9, 2], tokenizer.Encode("a<|im_end|>"));
        Assert.Equal(10, tokenizer.VocabularySize);
    }

    [Theory]
    [InlineData(3, "type 3")]
    [InlineData(4, "type 4")]
    public void Models_of_words_or_characters_are_refused_by_their_type(int type, string name) =>
        Assert.Contains(name, Assert.Throws<NotSupportedException>(() => Load(type, [("a", 0, 1)])).Message, StringComparison.Ordinal);

    [Fact]
    public void Pieces_that_cannot_be_are_refused()
    {
        Assert.Throws<InvalidDataException>(() => Load(BytePair, [("a", 0, 1), ("a", 0, 1)]));
        Assert.Throws<InvalidDataException>(() => Load(BytePair, [("", 0, 1)]));
        Assert.Throws<InvalidDataException>(() => Load(BytePair, [("a", float.NaN, 1)]));
        Assert.Throws<InvalidDataException>(() => Load(BytePair, [("a", 0, 7)]));
        Assert.Throws<InvalidDataException>(() => Load(BytePair, [(new string('a', 257), 0, 1)]));
        Assert.Throws<NotSupportedException>(() => Load(BytePair, [("a", 0, 5)]));
    }

    private static IEnumerable<string?> Tokens(ModelTokenizer tokenizer, string text) => tokenizer.Encode(text, addSpecial: false).Select(tokenizer.Token);

    /// <summary>A model of unknown, begin and end pieces (ids 0 to 2) and the given ones.</summary>
    private ModelTokenizer Load(int type, (string Text, float Score, int Kind)[] pieces)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
        {
            foreach (var (text, score, kind) in ((string, float, int)[])[("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), .. pieces])
            {
                Write(output, 1, piece =>
                {
                    piece.WriteTag(1, WireFormat.WireType.LengthDelimited);
                    piece.WriteString(text);
                    piece.WriteTag(2, WireFormat.WireType.Fixed32);
                    piece.WriteFloat(score);
                    piece.WriteTag(3, WireFormat.WireType.Varint);
                    piece.WriteEnum(kind);
                });
            }

            Write(output, 2, trainer =>
            {
                trainer.WriteTag(3, WireFormat.WireType.Varint);
                trainer.WriteEnum(type);
            });
            Write(output, 3, normalizer =>
            {
                normalizer.WriteTag(4, WireFormat.WireType.Varint);
                normalizer.WriteBool(false);
            });
        }

        _folder.Write("tokenizer.model", stream.ToArray());
        return ModelTokenizer.Load(_folder.Path);
    }

    private static void Write(CodedOutputStream output, int field, Action<CodedOutputStream> content)
    {
        using var stream = new MemoryStream();
        using (var inner = new CodedOutputStream(stream, leaveOpen: true))
        {
            content(inner);
        }

        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(stream.ToArray()));
    }
}
