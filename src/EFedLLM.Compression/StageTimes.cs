namespace EFedLLM.Compression;

/// <summary>What a compression spent its time on.</summary>
/// <param name="Calibration">Running the model over the calibration text and summing its inputs.</param>
/// <param name="Factorisation">Factoring moments and residuals.</param>
/// <param name="Rounding">Bringing weights to integers.</param>
/// <param name="Allocation">Measuring sensitivities and choosing bits and ranks.</param>
/// <param name="Writing">Writing files.</param>
public sealed record StageTimes(TimeSpan Calibration, TimeSpan Factorisation, TimeSpan Rounding, TimeSpan Allocation, TimeSpan Writing)
{
    /// <summary>The stages by name, in their order.</summary>
    public IReadOnlyList<(string Stage, TimeSpan Time)> ByName =>
    [
        ("calibration", Calibration), ("factorisation", Factorisation), ("rounding", Rounding), ("allocation", Allocation), ("writing", Writing),
    ];
}
