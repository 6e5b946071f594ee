using System.Collections.Immutable;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Gateway;

/// <summary>Turns prompts into token ids, within bounds.</summary>
internal static class PromptEncoder
{
    /// <summary>What is wrong with a prompt's form, as far as can be said without looking at its text: cheap enough for an actor.</summary>
    /// <returns>The problem for people, or null.</returns>
    public static string? Problem(Prompt prompt, NodeLimits limits)
    {
        var (input, settings) = (prompt.Input, prompt.Settings);
        if ((input.Text is null ? 0 : 1) + (input.Messages is null ? 0 : 1) + (input.Tokens is null ? 0 : 1) != 1)
        {
            return "A prompt is exactly one of text, messages and token ids.";
        }

        if (prompt.Verified && (prompt.ScorePrompt || settings.Sampling.TopLogprobs > 0))
        {
            return "What devices sign are the tokens that they draw and how likely each was: how likely the prompt or other tokens were cannot be verified. Ask for one or the other.";
        }

        var least = prompt.ScorePrompt ? 0 : 1;
        if (settings.MaxTokens < least || settings.MaxTokens > limits.MaxTokens)
        {
            return $"max_tokens is {settings.MaxTokens}; it must be {least} to {limits.MaxTokens}.";
        }

        if (SamplingRules.Problem(settings.Sampling) is { } problem)
        {
            return char.ToUpperInvariant(problem[0]) + problem[1..];
        }

        if (settings.Stop.IsDefault || settings.Stop.Length > ProtocolLimits.StopTexts || settings.Stop.Any(stop => stop is not { Length: >= 1 and <= ProtocolLimits.StopCharacters }))
        {
            return $"There may be {ProtocolLimits.StopTexts} stop texts, each of 1 to {ProtocolLimits.StopCharacters} characters.";
        }

        if (input.Messages is { Length: > ProtocolLimits.ChatMessages })
        {
            return $"A chat may have {ProtocolLimits.ChatMessages} messages.";
        }

        var characters = input.Text?.Length ?? input.Messages?.Sum(message => (long)message.Role.Length + message.Content.Length) ?? 0;
        return characters > limits.MaxPromptCharacters ? $"The prompt has {characters} characters; at most {limits.MaxPromptCharacters} are possible." : null;
    }

    /// <summary>Encodes a prompt whose form is in order. Takes long for a long one.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompt">The prompt.</param>
    /// <param name="limits">The bounds.</param>
    /// <param name="prefix">Names the pages of its tokens, and has none; null where nobody needs to know them.</param>
    public static EncodedPrompt Encode(GatewayModel model, Prompt prompt, NodeLimits limits, PrefixChain? prefix = null)
    {
        var encoded = Encode(model, prompt, limits);

        // What comes of the last token is drawn from, so that one is always computed.
        return encoded.Problem is null && prefix is not null ? encoded with { Prefix = prefix.With(encoded.Tokens.AsSpan()[..^1]) } : encoded;
    }

    private static EncodedPrompt Encode(GatewayModel model, Prompt prompt, NodeLimits limits)
    {
        var (input, settings) = (prompt.Input, prompt.Settings);
        ImmutableArray<int> tokens;
        try
        {
            tokens = input switch
            {
                { Tokens: { } ids } => ids,
                { Messages: { } messages } => [.. model.Tokenizer.Encode(model.Template.Render(messages))],
                _ => [.. model.Tokenizer.Encode(input.Text!)],
            };
        }
        catch (ArgumentException e)
        {
            return EncodedPrompt.Refuse(settings, GenerationError.Invalid, e.Message);
        }
        catch (InvalidDataException e)
        {
            return EncodedPrompt.Refuse(settings, GenerationError.Internal, e.Message);
        }

        if (tokens.IsDefaultOrEmpty)
        {
            return EncodedPrompt.Refuse(settings, GenerationError.Invalid, "The prompt is empty.");
        }

        if (tokens.AsSpan().ContainsAnyExceptInRange(0, model.Shape.VocabularySize - 1))
        {
            return EncodedPrompt.Refuse(settings, GenerationError.Invalid, $"A token id is outside the vocabulary of {model.Shape.VocabularySize}.");
        }

        if (tokens.Length > limits.MaxPromptTokens)
        {
            return EncodedPrompt.Refuse(settings, GenerationError.TooLong, $"The prompt has {tokens.Length} tokens; at most {limits.MaxPromptTokens} are possible.");
        }

        if (model.Shape.Encoder is not null)
        {
            // Nothing is generated, so nothing but the sequence itself needs a place.
            return tokens.Length <= model.Served.ContextLength
                ? new EncodedPrompt(tokens, settings with { MaxTokens = 1 })
                : EncodedPrompt.Refuse(settings, GenerationError.TooLong, $"The input has {tokens.Length} tokens; {model.Served.Name} takes at most {model.Served.ContextLength}. Cut it into shorter ones.");
        }

        if (settings.MaxTokens == 0)
        {
            // The last token is only scored, so it needs no place.
            return tokens.Length < 2 ? EncodedPrompt.Refuse(settings, GenerationError.Invalid, "A prompt of one token has nothing to be scored by, and no token is asked for.")
                : tokens.Length - 1 > model.Served.ContextLength ? EncodedPrompt.Refuse(settings, GenerationError.TooLong, $"The prompt has {tokens.Length} tokens; {model.Served.Name} can score at most {model.Served.ContextLength + 1}.")
                : new EncodedPrompt(tokens, settings);
        }

        var room = model.Served.ContextLength - tokens.Length;
        return room < 1
            ? EncodedPrompt.Refuse(settings, GenerationError.TooLong, $"The prompt has {tokens.Length} tokens; {model.Served.Name} has a context of {model.Served.ContextLength}, and the answer needs room too.")
            : new EncodedPrompt(tokens, settings with { MaxTokens = Math.Min(settings.MaxTokens, room) });
    }
}
