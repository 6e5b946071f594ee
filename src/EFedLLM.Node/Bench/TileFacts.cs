namespace EFedLLM.Node.Bench;

/// <summary>What stays in registers while weights pass by.</summary>
/// <param name="Rows">Rows of the matrix.</param>
/// <param name="Tokens">Tokens.</param>
internal sealed record TileFacts(int Rows, int Tokens);
