using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Allocation;

/// <summary>A matrix with the form it is to get.</summary>
/// <param name="Form">The form.</param>
/// <param name="Loss">The predicted loss: KL divergence from the uncompressed model, in nats per token.</param>
public sealed record PlannedMatrix(MatrixForm Form, double Loss);
