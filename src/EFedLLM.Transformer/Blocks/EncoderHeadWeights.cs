using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>The last unit of an encoder: logits = Classifier · tanh(Pooler · first position). Both are null for a model without classes, whose last unit is empty.</summary>
/// <param name="Pooler">hidden to hidden, or null.</param>
/// <param name="Classifier">hidden to classes, or null.</param>
public sealed record EncoderHeadWeights(LinearLayer? Pooler, LinearLayer? Classifier);
