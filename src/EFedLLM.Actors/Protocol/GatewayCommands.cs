using System.Collections.Immutable;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Protocol;

/// <summary>What a prompt consists of: exactly one of the three is set.</summary>
/// <param name="Text">Plain text, encoded as it is.</param>
/// <param name="Messages">A chat, rendered with the model's chat template.</param>
/// <param name="Tokens">Token ids, used as they are.</param>
public sealed record PromptInput(string? Text = null, ImmutableArray<ChatMessage>? Messages = null, ImmutableArray<int>? Tokens = null)
{
    /// <inheritdoc/>
    public bool Equals(PromptInput? other) => other is not null && Text == other.Text && Same(Messages, other.Messages) && Same(Tokens, other.Tokens);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Text, Messages?.Length, Tokens?.Length);

    private static bool Same<T>(ImmutableArray<T>? a, ImmutableArray<T>? b) => a is null ? b is null : b is not null && a.Value.SequenceEqual(b.Value);
}

/// <summary>
/// To the GatewayActor: generate. The sender gets <see cref="GenerationStarted"/>, then one <see cref="TokenGenerated"/>
/// per token in order, then one <see cref="GenerationFinished"/>; or at any point one <see cref="GenerationFailed"/>, after which nothing follows.
/// Before the tokens come <see cref="PromptScored"/>, and behind them <see cref="HopSigned"/>, where they are asked for.
/// An encoder generates nothing: it is asked for an <paramref name="Output"/>, and gives one <see cref="TextEncoded"/> in the tokens' place.
/// </summary>
/// <param name="Id">Chosen by the sender; comes back with every answer.</param>
/// <param name="Input">The prompt.</param>
/// <param name="Settings">How to generate.</param>
/// <param name="Model">A model's name or id, or null for the cluster's.</param>
/// <param name="Output">What an encoder is to make of the input; <see cref="SequenceOutput.None"/> to generate.</param>
/// <param name="ScorePrompt">Whether the prompt itself is scored: <see cref="PromptScored"/> says how likely each of its tokens was. With 0 as <see cref="GenerationSettings.MaxTokens"/> nothing is generated after it.</param>
/// <param name="Verified">Whether only what was recomputed by others is told: every token waits for that, and an answer that cannot be checked fails.</param>
/// <param name="Signed">Whether what the hops signed is told too (<see cref="HopSigned"/>), where they sign.</param>
/// <param name="Tenant">Who asks, as a text of at most <see cref="ProtocolLimits.TenantCharacters"/> characters: prompts that begin with the same tokens share what was computed of them only where this is the same, unless the gateway lets all share.</param>
/// <param name="Drafts">Most tokens that are guessed ahead in one step, at most as many as the gateway allows; 0 is none, null leaves it to the gateway. The answer is the same.</param>
public sealed record Prompt(
    PromptId Id, PromptInput Input, GenerationSettings Settings, string? Model = null, SequenceOutput Output = SequenceOutput.None, bool ScorePrompt = false, bool Verified = false, bool Signed = false,
    string Tenant = "", int? Drafts = null) : ICommand
{
    /// <inheritdoc/>
    public bool Equals(Prompt? other) => other is not null && Id == other.Id && Input == other.Input && Model == other.Model && Output == other.Output && ScorePrompt == other.ScorePrompt && Verified == other.Verified && Signed == other.Signed && Tenant == other.Tenant && Drafts == other.Drafts
        && Settings.Stop.AsSpan().SequenceEqual(other.Settings.Stop.AsSpan())
        && (Settings with { Stop = [] }) == (other.Settings with { Stop = [] });

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Id, Model);
}

/// <summary>To the GatewayActor, from the prompt's sender: stop generating.</summary>
/// <param name="Id">The prompt.</param>
public sealed record CancelGeneration(PromptId Id) : ICommand;
