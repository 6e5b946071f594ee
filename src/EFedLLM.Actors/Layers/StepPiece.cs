using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Layers;

/// <summary>What one message feeds: consecutive positions of one session, as token ids or as activations.</summary>
/// <param name="Position">The first position.</param>
/// <param name="Rows">Number of positions.</param>
/// <param name="Sample">Whether the head draws after the last row.</param>
/// <param name="Tokens">Token ids, [Rows], or empty.</param>
/// <param name="Hidden">Activations, [Rows, hidden], or empty. Never written to: a local sender may share the memory with others.</param>
/// <param name="HopMicroseconds">Compute time of each hop before.</param>
/// <param name="IsDrafted">Whether all rows but the first are those of drafts.</param>
internal readonly record struct StepPiece(
    int Position, int Rows, bool Sample, ReadOnlyMemory<int> Tokens, ReadOnlyMemory<float> Hidden, ImmutableArray<int> HopMicroseconds, bool IsDrafted = false)
{
    /// <summary>Memory it holds on to while it waits.</summary>
    public long Bytes => (Tokens.Length + (long)Hidden.Length) * sizeof(float);

    /// <summary>The piece of a message to the first hop.</summary>
    public static StepPiece Of(FeedTokens message) => new(message.Position, message.Tokens.Length, message.Sample, message.Tokens.AsMemory(), default, [], message.Drafted);

    /// <summary>The piece of a message to a later hop.</summary>
    public static StepPiece Of(FeedHidden message) => new(message.Position, message.Rows, message.Sample, default, message.Hidden, message.HopMicroseconds, message.Drafted);
}
