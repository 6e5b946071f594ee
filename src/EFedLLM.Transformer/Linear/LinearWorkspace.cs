namespace EFedLLM.Transformer.Linear;

/// <summary>Scratch memory for <see cref="LinearLayer.Apply"/>: quantised activations and the low-rank intermediate. One per computing thread of control.</summary>
public sealed class LinearWorkspace
{
}
