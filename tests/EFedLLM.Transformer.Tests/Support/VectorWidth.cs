namespace EFedLLM.Transformer.Tests.Support;

/// <summary>What a process is allowed to use of its processor.</summary>
public enum VectorWidth
{
    /// <summary>Everything it has.</summary>
    Widest,

    /// <summary>Registers of at most 256 bits.</summary>
    Bits256,

    /// <summary>Registers of at most 128 bits, and no fused multiply-add in hardware on x86.</summary>
    Bits128,

    /// <summary>No vector registers.</summary>
    Scalar,
}
