namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A place in a unit where matrices take their input: those of one place multiply the same rows.</summary>
public enum InputSite
{
    /// <summary>Token ids, which the embedding looks up: nothing is multiplied.</summary>
    Tokens,

    /// <summary>Behind the norm before attention, [rows, hidden]: the input of the query, key and value projections.</summary>
    Attention,

    /// <summary>What attention made, [rows, heads * head size]: the input of the output projection.</summary>
    Output,

    /// <summary>Behind the norm before the feed-forward block, [rows, hidden]: the input of the gate and up projections.</summary>
    FeedForward,

    /// <summary>SiLU(gate) * up, [rows, intermediate]: the input of the down projection.</summary>
    Down,

    /// <summary>Behind the final norm, [rows, hidden]: the input of the head.</summary>
    Head,
}
