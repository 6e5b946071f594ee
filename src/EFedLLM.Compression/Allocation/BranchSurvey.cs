using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Allocation;

/// <summary>What low-rank branches with one V would leave of the errors of matrices that share an input, over bases of <see cref="MatrixSurvey.ReferenceForm"/>.</summary>
/// <param name="Unit">The unit.</param>
/// <param name="Input">The place.</param>
/// <param name="Rank">The rank.</param>
/// <param name="Shares">For each matrix of the place the share of its error that is left, with the factors rounded.</param>
public sealed record BranchSurvey(int Unit, InputSite Input, int Rank, ImmutableArray<double> Shares)
{
    /// <summary>The ranks that are tried: whole groups of factors, as those are stored.</summary>
    public static ImmutableArray<int> Ranks { get; } = [32, 64];

    /// <summary>The form of factors: eight bits hardly add to the error, fewer ruin it.</summary>
    public static GroupForm FactorForm { get; } = new(8, 32);
}
