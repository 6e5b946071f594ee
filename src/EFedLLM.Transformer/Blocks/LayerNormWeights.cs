namespace EFedLLM.Transformer.Blocks;

/// <summary>The weights of a layer normalisation.</summary>
/// <param name="Gain">[hidden].</param>
/// <param name="Bias">[hidden].</param>
public sealed record LayerNormWeights(float[] Gain, float[] Bias);
