namespace EFedLLM.Transformer.Kernels;

/// <summary>A number of bits as a type, so that the compiler knows it as a constant.</summary>
internal interface IWeightBits
{
    /// <summary>Bits of a weight: 4, 5 or 6.</summary>
    static abstract int Count { get; }
}
