namespace EFedLLM.Transformer.Kernels;

/// <summary>Weights from -32 to 31.</summary>
internal readonly struct SixBits : IWeightBits
{
    public static int Count => 6;
}
