using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Trust;

/// <summary>What one step of a session came to on a shard, for an <see cref="IHopBehavior"/> to change.</summary>
public sealed class HopOutput
{
    /// <summary>The session.</summary>
    public required SessionId Session { get; init; }

    /// <summary>The node of whoever runs the session, as an address.</summary>
    public required string Gateway { get; init; }

    /// <summary>The first position.</summary>
    public required int Position { get; init; }

    /// <summary>Number of positions.</summary>
    public required int Rows { get; init; }

    /// <summary>Whether the shard has the head, which gives a token and no rows.</summary>
    public required bool IsHead { get; init; }

    /// <summary>What came in, [Rows, hidden]; empty at the first hop, where tokens come in.</summary>
    public required ReadOnlyMemory<float> Input { get; init; }

    /// <summary>What goes out, [Rows, hidden]; at the head the logits from which a token is drawn, [some rows, vocabulary], perhaps none.</summary>
    public required Memory<float> Values { get; init; }

    /// <summary>Number of token ids.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>At the head, once it is drawn: the token; -1 where none is.</summary>
    public int Token { get; set; } = -1;

    /// <summary>Seeded by whoever starts the device.</summary>
    public required Random Random { get; init; }
}
