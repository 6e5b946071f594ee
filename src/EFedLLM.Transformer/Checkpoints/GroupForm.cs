namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Group-wise integer quantisation along the input.</summary>
/// <param name="Bits">Bits of one weight: 4, 5, 6 or 8.</param>
/// <param name="Group">Inputs that share a scale: 32 or 64.</param>
public sealed record GroupForm(int Bits, int Group);
