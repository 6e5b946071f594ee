namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>The types of tensors that weights are read from; the numbers are the file format's (ggml's <c>ggml_type</c>).</summary>
internal enum GgufType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32 = 0,

    /// <summary>IEEE 754 binary16.</summary>
    F16 = 1,

    /// <summary>Blocks of 32: a scale and 4-bit integers around 0.</summary>
    Q4_0 = 2,

    /// <summary>Blocks of 32: a scale, a minimum and 4-bit integers from 0 on.</summary>
    Q4_1 = 3,

    /// <summary>Blocks of 32: a scale and 5-bit integers around 0.</summary>
    Q5_0 = 6,

    /// <summary>Blocks of 32: a scale, a minimum and 5-bit integers from 0 on.</summary>
    Q5_1 = 7,

    /// <summary>Blocks of 32: a scale and 8-bit integers.</summary>
    Q8_0 = 8,

    /// <summary>Blocks of 256: eight groups of 4-bit integers from 0 on, with 6-bit scales and minima.</summary>
    Q4_K = 12,

    /// <summary>Blocks of 256: eight groups of 5-bit integers from 0 on, with 6-bit scales and minima.</summary>
    Q5_K = 13,

    /// <summary>Blocks of 256: sixteen groups of 6-bit integers around 0, with 8-bit scales.</summary>
    Q6_K = 14,

    /// <summary>The upper half of an IEEE 754 binary32.</summary>
    BF16 = 30,
}
