using System.Collections.Immutable;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Gateway;

/// <summary>A prompt as tokens, or why it cannot be one.</summary>
/// <param name="Tokens">The token ids; empty where there is a problem.</param>
/// <param name="Settings">How to generate, with as many tokens as the context has room for.</param>
/// <param name="Error">What kind of problem.</param>
/// <param name="Problem">The problem, for people; null where there is none.</param>
/// <param name="Prefix">The names of the whole pages of all tokens but the last; null where no hop may begin with pages that it kept.</param>
internal sealed record EncodedPrompt(ImmutableArray<int> Tokens, GenerationSettings Settings, GenerationError Error = 0, string? Problem = null, PrefixChain? Prefix = null)
{
    /// <summary>A problem.</summary>
    public static EncodedPrompt Refuse(GenerationSettings settings, GenerationError error, string problem) => new([], settings, error, problem);
}
