namespace EFedLLM.Transformer.Tokenizers;

/// <summary>A token that is recognised in the text before anything else, as <c>added_tokens</c> declares it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The text it stands for.</param>
/// <param name="IsSpecial">Whether it steers the model rather than being text: left out of decoded text, and never recognised in what a user wrote.</param>
/// <param name="IsNormalized">Whether it is looked for after normalisation.</param>
/// <param name="SingleWord">Whether it counts only between characters that are not of a word.</param>
/// <param name="StripsLeft">Whether white space before it belongs to it.</param>
/// <param name="StripsRight">Whether white space behind it belongs to it.</param>
internal sealed record AddedToken(
    int Id,
    string Content,
    bool IsSpecial,
    bool IsNormalized = false,
    bool SingleWord = false,
    bool StripsLeft = false,
    bool StripsRight = false);
