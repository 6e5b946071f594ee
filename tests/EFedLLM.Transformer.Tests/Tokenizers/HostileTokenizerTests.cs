using System.Text;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Tokenizers;

public sealed class HostileTokenizerTests : IDisposable
{
    private const string Probe = "hell \u00E9\U0001F600 ab <s> <|end|>  12\n";

    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_damaged_byte_level_tokenizer_is_read_or_refused_clearly() =>
        HostileFiles.Sample(Encoding.UTF8.GetBytes(TinyTokenizer.ByteLevel().ToJsonString()), Use("tokenizer.json"));

    [Fact]
    public void A_damaged_spaced_tokenizer_is_read_or_refused_clearly() =>
        HostileFiles.Sample(Encoding.UTF8.GetBytes(TinyTokenizer.Spaced().ToJsonString()), Use("tokenizer.json"));

    [Fact]
    public void Damaged_parts_of_a_tokenizer_are_read_or_refused_clearly()
    {
        var json = TinyTokenizer.ByteLevel();
        json["model"] = TinyTokenizer.Parse("""{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"\u2581":3},"merges":[["a","b"]],"unk_token":"a","ignore_merges":true}""");
        json["normalizer"] = TinyTokenizer.Parse("""{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}]}""");
        json["pre_tokenizer"] = TinyTokenizer.Parse("""{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s)|\\p{N}{1,3}|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},{"type":"Digits","individual_digits":true},{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first","split":true}]}""");
        json["decoder"] = TinyTokenizer.Parse("""{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first"}""");
        HostileFiles.Sample(Encoding.UTF8.GetBytes(json.ToJsonString()), Use("tokenizer.json"));
    }

    [SharedTheory]
    [InlineData("stories260K")]
    [InlineData("babyllama-105")]
    public void A_damaged_sentencepiece_model_is_read_or_refused_clearly(string model) =>
        HostileFiles.Sample(File.ReadAllBytes(Path.Combine(SharedModels.Model(model), "tokenizer.model")), Use("tokenizer.model"));

    [Fact]
    public void A_damaged_tokenizer_configuration_is_read_or_refused_clearly() => HostileFiles.Sample(
        """{"bos_token":{"content":"<s>"},"eos_token":"</s>","chat_template":[{"name":"default","template":"{{ '[INST] ' + message['content'] + ' [/INST]' }}"}]}"""u8.ToArray(),
        bytes =>
        {
            _folder.Write("tokenizer_config.json", bytes);
            ChatTemplate.Recognise(_folder.Path).Render([new ChatMessage("user", "x")]);
        });

    private Action<byte[]> Use(string name) => bytes =>
    {
        _folder.Write(name, bytes);
        var tokenizer = ModelTokenizer.Load(_folder.Path);
        tokenizer.Decode(tokenizer.Encode(Probe));
        tokenizer.Encode([new PromptSegment(Probe, IsTrusted: false)]);
    };
}
