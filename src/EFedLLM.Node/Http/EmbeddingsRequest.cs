using System.Collections.Immutable;
using System.Text.Json;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Node.Http;

/// <summary>A request to <c>/v1/embeddings</c>, checked and translated.</summary>
/// <param name="Prompts">What to encode, in the order of the input.</param>
/// <param name="IsBase64">Whether vectors are written as base64 of little-endian float32, instead of as lists of numbers.</param>
internal sealed record EmbeddingsRequest(ImmutableArray<Prompt> Prompts, bool IsBase64)
{
    /// <summary>Most inputs of one request, as with OpenAI.</summary>
    public const int MostInputs = 2048;

    private const string Expected = "a text, a list of texts, a list of token ids, or a list of such lists";

    /// <summary>Reads a request body.</summary>
    /// <exception cref="ApiException">A field makes no sense, or cannot be honoured.</exception>
    public static EmbeddingsRequest Read(JsonElement body)
    {
        var reader = new RequestReader(body);
        var model = reader.Text("model");
        if (model is { Length: 0 or > 256 })
        {
            throw reader.Wrong("model", "a name of 1 to 256 characters");
        }

        var inputs = ReadInputs(reader);
        var format = reader.Text("encoding_format");
        if (format is not (null or "float" or "base64"))
        {
            throw reader.Wrong("encoding_format", "float or base64");
        }

        reader.Accept("user");
        reader.Refuse("dimensions");
        reader.End();
        var settings = new GenerationSettings { MaxTokens = 1 };
        return new EmbeddingsRequest([.. inputs.Select(input => new Prompt(PromptId.New(), input, settings, model, SequenceOutput.Mean))], format == "base64");
    }

    private static List<PromptInput> ReadInputs(RequestReader reader)
    {
        var value = reader.Take("input") ?? throw reader.Missing("input");
        if (value.ValueKind == JsonValueKind.String)
        {
            return [ReadText(value, reader)];
        }

        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0)
        {
            throw reader.Wrong("input", Expected);
        }

        // A list of numbers is one input; its length is a matter of the model's context.
        if (value[0].ValueKind == JsonValueKind.Number)
        {
            return [ReadTokens(value, reader)];
        }

        if (value.GetArrayLength() > MostInputs)
        {
            throw ApiException.Invalid("input", $"'input' has {value.GetArrayLength()} entries; one request may have {MostInputs}. Send several requests.");
        }

        var inputs = new List<PromptInput>(value.GetArrayLength());
        var characters = 0L;
        foreach (var item in value.EnumerateArray())
        {
            inputs.Add(item.ValueKind switch
            {
                JsonValueKind.String => ReadText(item, reader),
                JsonValueKind.Array => ReadTokens(item, reader),
                _ => throw reader.Wrong("input", Expected),
            });
            characters += inputs[^1].Text?.Length ?? 0;
            Bound(characters);
        }

        return inputs;
    }

    private static PromptInput ReadText(JsonElement value, RequestReader reader)
    {
        var text = value.GetString()!;
        Bound(text.Length);
        return text.Length > 0 ? new PromptInput(Text: text) : throw reader.Wrong("input", "free of empty texts");
    }

    private static PromptInput ReadTokens(JsonElement value, RequestReader reader)
    {
        if (value.GetArrayLength() is 0 or > ProtocolLimits.SessionTokens)
        {
            throw reader.Wrong("input", $"free of empty lists and of lists of more than {ProtocolLimits.SessionTokens} token ids");
        }

        var tokens = ImmutableArray.CreateBuilder<int>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
        {
            tokens.Add(item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var id) && id >= 0 ? id : throw reader.Wrong("input", Expected));
        }

        return new PromptInput(Tokens: tokens.MoveToImmutable());
    }

    private static void Bound(long characters)
    {
        if (characters > ProtocolLimits.PromptCharacters)
        {
            throw ApiException.Invalid("input", $"'input' has more than {ProtocolLimits.PromptCharacters} characters. Send several requests.");
        }
    }
}
