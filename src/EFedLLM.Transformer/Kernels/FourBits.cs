namespace EFedLLM.Transformer.Kernels;

/// <summary>Weights from -8 to 7.</summary>
internal readonly struct FourBits : IWeightBits
{
    public static int Count => 4;
}
