namespace EFedLLM.Node.Bench;

/// <summary>How a matrix is held and cut.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Outputs">Rows.</param>
/// <param name="Inputs">Columns.</param>
/// <param name="Bits">Bits of a weight of the base; 0 without one.</param>
/// <param name="Rank">Rank of the low-rank branch; 0 without one.</param>
/// <param name="Bytes">Bytes of weights, scales and padding included.</param>
/// <param name="WindowRows">Rows that all tokens of a step pass over before the next rows come.</param>
/// <param name="WindowBytes">Bytes of their weights.</param>
internal sealed record MatrixFacts(string Name, int Outputs, int Inputs, int Bits, int Rank, long Bytes, int WindowRows, long WindowBytes);
