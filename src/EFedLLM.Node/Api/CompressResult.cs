namespace EFedLLM.Node.Api;

/// <summary>What <c>efedllm compress --json</c> prints.</summary>
/// <param name="Folder">The factored model's folder; null where only a plan was made, as are the next two.</param>
/// <param name="Model">Its id.</param>
/// <param name="Bytes">Bytes of its weight files.</param>
/// <param name="Profile">The profile.</param>
/// <param name="BitsPerWeight">Bits per weight as read per token, with everything in.</param>
/// <param name="LinearAlgebra">What decomposed the matrices.</param>
internal sealed record CompressResult(string? Folder, string? Model, long? Bytes, string Profile, double BitsPerWeight, string LinearAlgebra)
{
    /// <summary>KL divergence that is predicted, in nats per token; null where nothing was planned, as are the following.</summary>
    public double? PredictedLoss { get; init; }

    /// <summary>Perplexity on the part of the calibration text that was held out.</summary>
    public double? Perplexity { get; init; }

    /// <summary>The same of the uncompressed model.</summary>
    public double? ReferencePerplexity { get; init; }

    /// <summary>Low-rank branches that were tried.</summary>
    public int? BranchesTried { get; init; }

    /// <summary>Low-rank branches that paid for their bytes.</summary>
    public int? Branches { get; init; }

    /// <summary>Seconds that each stage took.</summary>
    public IReadOnlyDictionary<string, double>? Stages { get; init; }

    /// <summary>The plan.</summary>
    public IReadOnlyList<PlannedMatrixFacts>? Matrices { get; init; }
}

/// <summary>A matrix of a plan.</summary>
/// <param name="Unit">Its unit.</param>
/// <param name="Name">Its name.</param>
/// <param name="Bits">Bits of a weight of its base.</param>
/// <param name="Group">Weights that share a scale.</param>
/// <param name="Rank">Rank of its branch, 0 for none.</param>
/// <param name="Bytes">Bytes with scales, factors and padding.</param>
/// <param name="PredictedLoss">KL divergence that it is predicted to cause, in nats per token.</param>
internal sealed record PlannedMatrixFacts(int Unit, string Name, int Bits, int Group, int Rank, long Bytes, double PredictedLoss);
