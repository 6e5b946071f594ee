namespace EFedLLM.Transformer.Checkpoints;

/// <summary>What the arithmetic quantises besides weights.</summary>
/// <param name="ActivationBits">16 or 8: the width activations are quantised to before an integer product.</param>
/// <param name="KeyValueCache">The element type of the KV cache: <c>float16</c>.</param>
public sealed record ArithmeticSettings(int ActivationBits, string KeyValueCache);
