namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A place in a unit where a model of a given shape has a matrix.</summary>
/// <param name="Name">The matrix's name inside the unit.</param>
/// <param name="Outputs">Rows.</param>
/// <param name="Inputs">Columns.</param>
/// <param name="HasBias">Whether a bias of <paramref name="Outputs"/> values is added to its product.</param>
/// <param name="Input">Where its input comes from.</param>
public readonly record struct ManifestSite(string Name, int Outputs, int Inputs, bool HasBias, InputSite Input);
