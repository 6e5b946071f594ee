using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>The last unit of a model.</summary>
/// <param name="Norm">Gain of the final norm, [hidden].</param>
/// <param name="Projection">Output projection, hidden to vocabulary.</param>
public sealed record HeadWeights(float[] Norm, LinearLayer Projection);
