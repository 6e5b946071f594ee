namespace EFedLLM.Transformer.Kernels;

/// <summary>Weights from -16 to 15.</summary>
internal readonly struct FiveBits : IWeightBits
{
    public static int Count => 5;
}
