using System.Collections.Immutable;

namespace EFedLLM.Compression.Allocation;

/// <summary>What was measured of a model before bits are given out.</summary>
/// <param name="Matrices">Its matrices but for the embedding, in the manifest's order.</param>
/// <param name="HeldOutLoss">Mean negative log-likelihood of the uncompressed model on the held-out text, in nats; null where none was held out.</param>
/// <param name="Branches">The branches that were tried; none where branches were not wanted.</param>
public sealed record ModelSurvey(ImmutableArray<MatrixSurvey> Matrices, double? HeldOutLoss, ImmutableArray<BranchSurvey> Branches);
