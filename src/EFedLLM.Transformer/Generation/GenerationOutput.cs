using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Transformer.Generation;

/// <summary>What a local generation gives out: its tokens one by one, then how it ended.</summary>
public abstract record GenerationOutput
{
    private protected GenerationOutput()
    {
    }
}

/// <summary>A token came out.</summary>
/// <param name="Choice">The token and its probability.</param>
/// <param name="Text">The text that became certain with it; may be empty.</param>
public sealed record GeneratedToken(TokenChoice Choice, string Text) : GenerationOutput;

/// <summary>The generation ended; nothing follows.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Text">Text held back until now; empty where the last token ended it.</param>
/// <param name="Timing">How long it took.</param>
public sealed record GenerationEnd(FinishReason Reason, string Text, LocalTiming Timing) : GenerationOutput;
