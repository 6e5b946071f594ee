namespace EFedLLM.Transformer.Checkpoints;

/// <summary>How one matrix is held: y = B·x + U·(V·x).</summary>
/// <param name="Unit">The unit it belongs to.</param>
/// <param name="Name">Its name inside the unit, for example <c>self_attn.q_proj</c>.</param>
/// <param name="Outputs">Rows of the matrix.</param>
/// <param name="Inputs">Columns of the matrix.</param>
/// <param name="Base">Form of B, or null when B is absent.</param>
/// <param name="Rank">Rank of U·V; 0 when absent.</param>
/// <param name="Factors">Form of U and V, or null when the rank is 0.</param>
/// <param name="Bytes">Bytes of weights, scales and padding included.</param>
public sealed record MatrixForm(int Unit, string Name, int Outputs, int Inputs, GroupForm? Base, int Rank, GroupForm? Factors, long Bytes);
