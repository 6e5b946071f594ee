using System.Text.Json.Serialization;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>How one matrix is held: y = B·x + U·(V·x).</summary>
/// <param name="Unit">The unit it belongs to.</param>
/// <param name="Name">Its name inside the unit, for example <c>self_attn.q_proj</c>.</param>
/// <param name="Outputs">Rows of the matrix.</param>
/// <param name="Inputs">Columns of the matrix.</param>
/// <param name="Base">Form of B, or null when B is absent.</param>
/// <param name="Rank">Rank of U·V; 0 when absent.</param>
/// <param name="Factors">Form of U and V, or null when the rank is 0.</param>
/// <param name="Bytes">Bytes of weights, scales and padding included; a V that another matrix owns is not among them.</param>
public sealed record MatrixForm(int Unit, string Name, int Outputs, int Inputs, GroupForm? Base, int Rank, GroupForm? Factors, long Bytes)
{
    /// <summary>
    /// The name of an earlier matrix of the same unit, with the same input, whose V is this one's too; or null where V is
    /// this one's own. The owner's file tensors and bytes hold V, and rank and form of the factors are those of the owner.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SharedFactors { get; init; }
}
