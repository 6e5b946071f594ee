using System.Text.Encodings.Web;
using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>Makes the files that a Hugging Face folder has beside its weights of the metadata of a GGUF file: the same file gives the same bytes.</summary>
internal static class GgufCompanions
{
    private const string TemplateKey = "tokenizer.chat_template";

    /// <summary>The content of a file, or null where a GGUF file says nothing that belongs in one of that name.</summary>
    /// <exception cref="InvalidDataException">A metadata value is malformed; the message names its key.</exception>
    /// <exception cref="NotSupportedException">The model needs something that is not supported; the message names it.</exception>
    public static byte[]? Make(GgufFile file, string name) => name switch
    {
        ConfigReader.FileName => GgufConfig.Make(file),
        "tokenizer.json" when GgufVocabulary.Read(file.Metadata) is { } vocabulary => Write(json => GgufTokenizer.Write(json, file.Metadata, vocabulary)),
        "tokenizer_config.json" when GgufVocabulary.Read(file.Metadata) is { } vocabulary => Write(json => WriteTokenizerConfig(json, file.Metadata, vocabulary)),
        _ => null,
    };

    private static byte[] Write(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private static void WriteTokenizerConfig(Utf8JsonWriter json, GgufMetadata metadata, GgufVocabulary vocabulary)
    {
        json.WriteBoolean("add_bos_token", vocabulary.AddsBegin);
        json.WriteBoolean("add_eos_token", vocabulary.AddsEnd);
        WriteToken("bos_token", vocabulary.Begin);
        WriteToken("eos_token", vocabulary.Ends is [var end, ..] ? end : null);
        WriteToken("unk_token", vocabulary.Unknown);
        WriteToken("pad_token", vocabulary.Padding);
        json.WriteBoolean("clean_up_tokenization_spaces", false);
        json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
        if (metadata.Text(TemplateKey) is { } template)
        {
            json.WriteString("chat_template", template);
        }

        void WriteToken(string name, int? id)
        {
            if (id is { } known)
            {
                json.WriteString(name, vocabulary.Tokens[known]);
            }
        }
    }
}
