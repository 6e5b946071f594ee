using System.Collections.Immutable;
using System.Text.Json;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.Http;

/// <summary>A request to <c>/v1/chat/completions</c> or <c>/v1/completions</c>, checked and translated.</summary>
/// <param name="Prompt">What to generate.</param>
/// <param name="IsChat">Which of the two endpoints.</param>
/// <param name="Stream">Whether the answer is streamed.</param>
/// <param name="IncludeUsage">Whether a stream ends with a usage chunk.</param>
/// <param name="Logprobs">Whether log-probabilities are part of the answer.</param>
/// <param name="Echo">Whether the answer begins with the prompt.</param>
internal sealed record CompletionRequest(Prompt Prompt, bool IsChat, bool Stream, bool IncludeUsage, bool Logprobs, bool Echo)
{
    /// <summary>A request's header: <c>true</c> asks for an answer of which only what others have recomputed is told.</summary>
    public const string VerifiedHeader = "x-efedllm-verified";

    /// <summary>Reads the header <see cref="VerifiedHeader"/>.</summary>
    /// <exception cref="ApiException">It says neither true nor false.</exception>
    public static bool IsVerified(IHeaderDictionary headers) => headers[VerifiedHeader] switch
    {
        [] or ["false"] => false,
        ["true"] => true,
        _ => throw new ApiException(StatusCodes.Status400BadRequest, $"The header {VerifiedHeader} says true or false."),
    };

    /// <summary>Reads a request body.</summary>
    /// <param name="body">The JSON body.</param>
    /// <param name="isChat">Which endpoint.</param>
    /// <param name="defaultMaxTokens">Answer length where the request names none.</param>
    /// <param name="maxTokens">The longest answer this server gives.</param>
    /// <param name="randomSeed">The seed where the request names none.</param>
    public static CompletionRequest Read(JsonElement body, bool isChat, int defaultMaxTokens, int maxTokens, ulong randomSeed)
    {
        var reader = new RequestReader(body);
        var model = reader.Text("model");
        if (model is { Length: 0 or > 256 })
        {
            throw reader.Wrong("model", "a name of 1 to 256 characters");
        }

        var input = isChat ? ReadMessages(reader) : ReadPrompt(reader);
        var stream = reader.Flag("stream");
        var includeUsage = ReadStreamOptions(reader, stream);
        var (logprobs, top) = isChat ? ReadChatLogprobs(reader) : ReadPlainLogprobs(reader);
        var sampling = new SamplingSettings
        {
            Temperature = (float)(reader.Number("temperature", 0, 2) ?? 1),
            TopP = ReadTopP(reader),
            TopK = reader.Integer("top_k", 0, int.MaxValue) ?? 0,
            Seed = ReadSeed(reader) ?? randomSeed,
            TopLogprobs = top,
        };
        var echo = !isChat && reader.Flag("echo");
        var limit = reader.Integer("max_completion_tokens", 1, maxTokens);
        limit = reader.Integer("max_tokens", echo ? 0 : 1, maxTokens) ?? limit;
        var settings = new GenerationSettings
        {
            Sampling = sampling,
            MaxTokens = limit ?? Math.Min(defaultMaxTokens, maxTokens),
            Stop = ReadStop(reader),
            IgnoreEndTokens = reader.Flag("ignore_eos"),
        };
        RefuseWhatIsNotHonoured(reader);
        var scores = echo && (logprobs || settings.MaxTokens == 0);
        return new CompletionRequest(new Prompt(PromptId.New(), input, settings, model, ScorePrompt: scores), isChat, stream, includeUsage, logprobs, echo);
    }

    private static void RefuseWhatIsNotHonoured(RequestReader reader)
    {
        reader.Accept("user", "metadata", "safety_identifier", "prompt_cache_key");
        reader.Refuse("n", value => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var n) && n == 1);
        reader.Refuse("best_of", value => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var n) && n == 1);
        reader.Refuse("echo", value => value.ValueKind == JsonValueKind.False);
        reader.Refuse("store", value => value.ValueKind == JsonValueKind.False);
        reader.Refuse("presence_penalty", IsZero);
        reader.Refuse("frequency_penalty", IsZero);
        reader.Refuse("logit_bias", value => value.ValueKind == JsonValueKind.Object && !value.EnumerateObject().Any());
        reader.Refuse("tools", value => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0);
        reader.Refuse("tool_choice", value => value.ValueKind == JsonValueKind.String && value.GetString() == "none");
        reader.Refuse("response_format", value => value.ValueKind == JsonValueKind.Object
            && value.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.GetString() == "text");
        reader.End();
    }

    private static bool IsZero(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number == 0;

    private static float ReadTopP(RequestReader reader)
    {
        var value = (float)(reader.Number("top_p", 0, 1) ?? 1);
        return value > 0 ? value : throw reader.Wrong("top_p", "above 0 and at most 1");
    }

    private static ulong? ReadSeed(RequestReader reader) => reader.Take("seed") is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var seed) ? unchecked((ulong)seed)
        : throw reader.Wrong("seed", "a 64-bit whole number");

    private static bool ReadStreamOptions(RequestReader reader, bool stream)
    {
        if (reader.Take("stream_options") is not { } value)
        {
            return false;
        }

        if (!stream)
        {
            throw ApiException.Invalid("stream_options", "'stream_options' is only allowed with 'stream': true.");
        }

        var options = new RequestReader(value, "stream_options");
        var include = options.Flag("include_usage");
        options.Refuse("include_obfuscation", option => option.ValueKind == JsonValueKind.False);
        options.End();
        return include;
    }

    private static (bool Wanted, int Top) ReadChatLogprobs(RequestReader reader)
    {
        var wanted = reader.Flag("logprobs");
        var top = reader.Integer("top_logprobs", 0, ProtocolLimits.TopLogprobs);
        return top is null or 0 || wanted ? (wanted, top ?? 0)
            : throw ApiException.Invalid("top_logprobs", "'top_logprobs' needs 'logprobs': true.");
    }

    private static (bool Wanted, int Top) ReadPlainLogprobs(RequestReader reader)
    {
        var top = reader.Integer("logprobs", 0, ProtocolLimits.TopLogprobs);
        return (top is not null, top ?? 0);
    }

    private static ImmutableArray<string> ReadStop(RequestReader reader)
    {
        if (reader.Take("stop") is not { } value)
        {
            return [];
        }

        var expected = $"a text or a list of at most {ProtocolLimits.StopTexts} texts, each 1 to {ProtocolLimits.StopCharacters} characters";
        var texts = value.ValueKind switch
        {
            JsonValueKind.String => [value.GetString()!],
            JsonValueKind.Array when value.GetArrayLength() <= ProtocolLimits.StopTexts
                && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) => value.EnumerateArray().Select(item => item.GetString()!).ToImmutableArray(),
            _ => throw reader.Wrong("stop", expected),
        };
        return texts.All(text => text.Length is >= 1 and <= ProtocolLimits.StopCharacters) ? texts : throw reader.Wrong("stop", expected);
    }

    private static PromptInput ReadPrompt(RequestReader reader)
    {
        var value = reader.Take("prompt") ?? throw reader.Missing("prompt");
        if (value.ValueKind == JsonValueKind.String)
        {
            return new PromptInput(Text: Bounded(value.GetString()!, "prompt"));
        }

        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 1 && value[0].ValueKind == JsonValueKind.String)
        {
            return new PromptInput(Text: Bounded(value[0].GetString()!, "prompt"));
        }

        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() is 0 or > ProtocolLimits.SessionTokens)
        {
            throw reader.Wrong("prompt", "a text or a list of token ids");
        }

        var tokens = ImmutableArray.CreateBuilder<int>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
        {
            tokens.Add(item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var id) && id >= 0
                ? id
                : throw ApiException.Unsupported("prompt", "'prompt' must be one text or one list of token ids; several prompts in one request are not supported."));
        }

        return new PromptInput(Tokens: tokens.MoveToImmutable());
    }

    private static PromptInput ReadMessages(RequestReader reader)
    {
        var value = reader.Take("messages") ?? throw reader.Missing("messages");
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() is 0 or > ProtocolLimits.ChatMessages)
        {
            throw reader.Wrong("messages", $"a list of 1 to {ProtocolLimits.ChatMessages} messages");
        }

        var messages = ImmutableArray.CreateBuilder<ChatMessage>(value.GetArrayLength());
        long characters = 0;
        foreach (var item in value.EnumerateArray())
        {
            var message = ReadMessage(item, $"messages[{messages.Count}]");
            characters += message.Content.Length;
            if (characters > ProtocolLimits.PromptCharacters)
            {
                throw TooLong("messages");
            }

            messages.Add(message);
        }

        return new PromptInput(Messages: messages.MoveToImmutable());
    }

    private static ChatMessage ReadMessage(JsonElement item, string path)
    {
        var message = new RequestReader(item, path);
        var role = message.RequiredText("role") switch
        {
            "developer" => "system",
            "system" => "system",
            "user" => "user",
            "assistant" => "assistant",
            "tool" or "function" => throw ApiException.Unsupported($"{path}.role", "Tool messages are not supported by this server."),
            _ => throw message.Wrong("role", "system, user or assistant"),
        };
        var content = ReadContent(message.Take("content") ?? throw message.Missing("content"), path);
        message.Accept("name");
        message.Refuse("tool_calls", value => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0);
        message.Refuse("refusal");
        message.End();
        return new ChatMessage(role, content);
    }

    private static string ReadContent(JsonElement content, string path)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            return content.GetString()!;
        }

        if (content.ValueKind != JsonValueKind.Array || content.GetArrayLength() is 0 or > ProtocolLimits.ChatMessages)
        {
            throw ApiException.Invalid($"{path}.content", $"'{path}.content' must be a text or a list of text parts.");
        }

        var parts = content.EnumerateArray().Select((item, index) =>
        {
            var part = new RequestReader(item, $"{path}.content[{index}]");
            if (part.RequiredText("type") != "text")
            {
                throw ApiException.Unsupported($"{path}.content[{index}].type", "Only text parts are supported by this server.");
            }

            var text = part.RequiredText("text");
            part.End();
            return text;
        });
        return string.Concat(parts);
    }

    private static string Bounded(string text, string field) => text.Length <= ProtocolLimits.PromptCharacters ? text : throw TooLong(field);

    private static ApiException TooLong(string field) => new(StatusCodes.Status400BadRequest,
        $"'{field}' has more than {ProtocolLimits.PromptCharacters} characters.", param: field, code: "string_above_max_length");
}
