namespace EFedLLM.Transformer.Blocks;

/// <summary>The first unit of an encoder: three tables, whose rows are added, and a norm.</summary>
/// <param name="Words">A row for each token.</param>
/// <param name="Positions">A row for each position of the context.</param>
/// <param name="Types">A row for each token type, of which the first is used.</param>
/// <param name="Norm">Applied to the sum.</param>
public sealed record EncoderEmbeddingWeights(IEmbedding Words, IEmbedding Positions, IEmbedding Types, LayerNormWeights Norm);
