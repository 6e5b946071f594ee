namespace EFedLLM.Transformer.Tokenizers;

/// <summary>The data of a byte-pair encoding.</summary>
/// <param name="Vocabulary">Tokens and their ids.</param>
/// <param name="Merges">Pairs of tokens, the first ones merged first.</param>
internal sealed record BytePairModel(Dictionary<string, int> Vocabulary, IReadOnlyList<(string Left, string Right)> Merges)
{
    /// <summary>Tokens that a whole word is compared with before it is merged from characters, or null for none.</summary>
    public Dictionary<string, int>? WholeWords { get; init; }

    /// <summary>The ids of the 256 byte tokens that stand in for unknown characters, or null.</summary>
    public int[]? ByteIds { get; init; }

    /// <summary>The id of an unknown character without byte tokens; without one it is left out.</summary>
    public int? UnknownId { get; init; }

    /// <summary>Whether unknown characters side by side become one id.</summary>
    public bool FusesUnknown { get; init; }
}
