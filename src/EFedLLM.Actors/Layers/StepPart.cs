namespace EFedLLM.Actors.Layers;

/// <summary>Rows of a piece that one batch computes.</summary>
/// <param name="Piece">The piece.</param>
/// <param name="From">The first row of it.</param>
/// <param name="Rows">Number of rows.</param>
internal readonly record struct StepPart(StepPiece Piece, int From, int Rows);
