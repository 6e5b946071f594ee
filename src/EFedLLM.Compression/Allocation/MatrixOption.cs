namespace EFedLLM.Compression.Allocation;

/// <summary>One way to hold a matrix or several, with what it costs.</summary>
/// <param name="Bytes">Bytes that a token reads.</param>
/// <param name="Loss">Predicted loss, not negative.</param>
public readonly record struct MatrixOption(long Bytes, double Loss);
