using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Allocation;

/// <summary>The S-weighted error of a matrix in some form.</summary>
/// <param name="Form">The form.</param>
/// <param name="Error">E|D·x|², in no particular unit: errors of one matrix are compared with one another.</param>
public readonly record struct FormError(GroupForm Form, double Error);

/// <summary>What was measured of one matrix before bits are given out.</summary>
/// <param name="Unit">Its unit.</param>
/// <param name="Site">Where it stands.</param>
/// <param name="Divergence">KL divergence of the model's predictions, in nats per token, when this matrix alone is rounded to <see cref="ReferenceForm"/>.</param>
/// <param name="Forms">Its error in every form.</param>
public sealed record MatrixSurvey(int Unit, ManifestSite Site, double Divergence, ImmutableArray<FormError> Forms)
{
    /// <summary>The form that sensitivities are measured with: coarse enough to stand out from the rounding of float32.</summary>
    public static GroupForm ReferenceForm { get; } = new(4, 64);

    /// <summary>The forms that a base may have.</summary>
    public static ImmutableArray<GroupForm> Candidates { get; } = [new(4, 64), new(4, 32), new(5, 64), new(5, 32), new(6, 64), new(6, 32), new(8, 64), new(8, 32)];

    /// <summary>The divergence that an error of this matrix is predicted to cause: proportional to the error, as it is measured at one.</summary>
    public double Loss(double error) => Divergence * error / Forms.First(form => form.Form == ReferenceForm).Error;
}
