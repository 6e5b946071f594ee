namespace EFedLLM.Transformer.Checkpoints;

/// <summary>What an encoder has (BERT: Devlin et al., 2018) that a decoder has not. It sees a whole sequence at once and generates nothing.</summary>
/// <param name="TokenTypes">Rows of the token-type table; sequences are of type 0.</param>
/// <param name="Classes">Classes that the head tells apart, behind its pooler; 0 for a model without a head.</param>
public sealed record EncoderSettings(int TokenTypes, int Classes);
