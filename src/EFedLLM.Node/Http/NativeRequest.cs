using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.Http;

/// <summary>Checks and translates a request of the native interface.</summary>
internal static class NativeRequest
{
    private const int ModelCharacters = 256;

    /// <summary>The prompt that a request asks for.</summary>
    /// <param name="request">The request, believed in nothing.</param>
    /// <param name="settings">The server's bounds.</param>
    /// <exception cref="ApiException">A field makes no sense or breaks a bound.</exception>
    public static Prompt ToPrompt(GenerateRequest request, HttpApiSettings settings)
    {
        Require(request.Model is null or { Length: > 0 and <= ModelCharacters }, "model", $"a name of 1 to {ModelCharacters} characters");
        Require(request.Temperature is >= 0 and <= 2, "temperature", "from 0 to 2");
        Require(request.TopP is null or (> 0 and <= 1), "topP", "above 0 and at most 1");
        Require(request.TopK >= 0, "topK", "0 or more");
        Require(request.TopLogprobs is >= 0 and <= ProtocolLimits.TopLogprobs, "topLogprobs", $"from 0 to {ProtocolLimits.TopLogprobs}");
        Require(request.Drafts is null or (>= 0 and <= ProtocolLimits.Drafts), "drafts", $"from 0 to {ProtocolLimits.Drafts}");
        var least = request.ScorePrompt ? 0 : 1;
        Require(request.MaxTokens is null || (request.MaxTokens >= least && request.MaxTokens <= settings.MaxTokens), "maxTokens", $"from {least} to {settings.MaxTokens}");
        var stop = request.Stop ?? [];
        Require(
            stop.Count <= ProtocolLimits.StopTexts && stop.All(text => text is { Length: >= 1 and <= ProtocolLimits.StopCharacters }),
            "stop",
            $"at most {ProtocolLimits.StopTexts} texts of 1 to {ProtocolLimits.StopCharacters} characters");
        var generation = new GenerationSettings
        {
            Sampling = new SamplingSettings
            {
                Temperature = request.Temperature,
                TopP = request.TopP ?? 1,
                TopK = request.TopK,
                Seed = request.Seed,
                TopLogprobs = request.TopLogprobs,
            },
            MaxTokens = request.MaxTokens ?? Math.Min(settings.DefaultMaxTokens, settings.MaxTokens),
            Stop = [.. stop],
            IgnoreEndTokens = request.IgnoreEos,
        };
        return new Prompt(PromptId.New(), Input(request), generation, request.Model, ScorePrompt: request.ScorePrompt, Verified: request.Verified, Signed: request.Receipts, Drafts: request.Drafts);
    }

    private static PromptInput Input(GenerateRequest request)
    {
        var given = (request.Text is null ? 0 : 1) + (request.Messages is null ? 0 : 1) + (request.Tokens is null ? 0 : 1);
        if (given != 1)
        {
            throw new ApiException(StatusCodes.Status400BadRequest, "Exactly one of 'text', 'messages' and 'tokens' must be given.");
        }

        if (request.Text is { } text)
        {
            RequireLength(text.Length, "text");
            return new PromptInput(Text: text);
        }

        if (request.Tokens is { } tokens)
        {
            Require(tokens.Count is > 0 and <= ProtocolLimits.SessionTokens && tokens.All(id => id >= 0), "tokens", $"1 to {ProtocolLimits.SessionTokens} token ids");
            return new PromptInput(Tokens: [.. tokens]);
        }

        var lines = request.Messages!;
        Require(
            lines.Count is > 0 and <= ProtocolLimits.ChatMessages && lines.All(line => line is { Role: "system" or "user" or "assistant", Content: not null }),
            "messages",
            $"1 to {ProtocolLimits.ChatMessages} messages of a system, user or assistant");
        RequireLength(lines.Sum(line => (long)line.Content.Length), "messages");
        return new PromptInput(Messages: lines.Select(line => new ChatMessage(line.Role, line.Content)).ToImmutableArray());
    }

    private static void RequireLength(long characters, string field)
    {
        if (characters > ProtocolLimits.PromptCharacters)
        {
            throw new ApiException(
                StatusCodes.Status400BadRequest, $"'{field}' has more than {ProtocolLimits.PromptCharacters} characters.", param: field, code: "string_above_max_length");
        }
    }

    private static void Require(bool fits, string field, string expected)
    {
        if (!fits)
        {
            throw ApiException.Invalid(field, $"'{field}' must be {expected}.");
        }
    }
}
