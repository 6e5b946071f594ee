namespace EFedLLM.Compression.Factorization;

/// <summary>A matrix as the product of two thin ones: W ≈ U·V.</summary>
/// <param name="Outputs">Rows of W.</param>
/// <param name="Inputs">Columns of W.</param>
/// <param name="Rank">Columns of U, rows of V.</param>
/// <param name="U">[Outputs, Rank], row-major.</param>
/// <param name="V">[Rank, Inputs], row-major.</param>
/// <param name="SingularValues">[Rank], descending: the singular values of W that are kept.</param>
public sealed record LowRankFactors(int Outputs, int Inputs, int Rank, float[] U, float[] V, double[] SingularValues);
