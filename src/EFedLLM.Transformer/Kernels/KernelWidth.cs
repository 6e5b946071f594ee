namespace EFedLLM.Transformer.Kernels;

/// <summary>Width of the registers that an integer kernel uses. The bits of a result do not depend on it.</summary>
internal enum KernelWidth
{
    /// <summary>No vectors: the definition in plain words, and the path of processors without one of the others.</summary>
    Scalar,

    /// <summary>SSE4.1 or ARM's AdvSimd.</summary>
    Bits128,

    /// <summary>AVX2.</summary>
    Bits256,

    /// <summary>AVX-512 F and BW.</summary>
    Bits512,
}
