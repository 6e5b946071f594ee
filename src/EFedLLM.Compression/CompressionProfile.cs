namespace EFedLLM.Compression;

/// <summary>How a checkpoint's matrices are compressed.</summary>
public enum CompressionProfile
{
    /// <summary>Every matrix in 8-bit integers with a scale per group: some 8.5 bits a weight, hardly any loss.</summary>
    Int8,

    /// <summary>The layers' matrices as plain truncated singular value decompositions with 8-bit factors, as in the paper: half the bytes or less, at a loss that grows quickly.</summary>
    Svd,

    /// <summary>Every matrix in 4 to 8 bits, and a low-rank branch where it pays, rounded so that outputs change least on a calibration text: as many bits as a target allows, where they save most.</summary>
    Calibrated,
}
