using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// <c>manifest.json</c> of a factored model: everything that fixes the function the model computes, and how it was made.
/// The <see cref="ModelId"/> is the SHA-256 of the file's bytes.
/// </summary>
public sealed record ModelManifest
{
    /// <summary>The value of <see cref="Format"/>.</summary>
    public const string FormatName = "efedllm-factored";

    /// <summary>The value of <see cref="Version"/>.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Always <see cref="FormatName"/>.</summary>
    public string Format { get; init; } = FormatName;

    /// <summary>Version of the format.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The name people call the model by (the checkpoint folder's name).</summary>
    public required string Name { get; init; }

    /// <summary>Hyper-parameters.</summary>
    public required ModelShape Shape { get; init; }

    /// <summary>What the arithmetic quantises besides weights.</summary>
    public required ArithmeticSettings Arithmetic { get; init; }

    /// <summary>The compression profile, for example <c>int8</c> or <c>svd</c>.</summary>
    public required string Profile { get; init; }

    /// <summary>Weight files, one per unit, in unit order (embedding, layers, head).</summary>
    public required ImmutableArray<WeightFile> Files { get; init; }

    /// <summary>Tokenizer and generation files that travel with the model.</summary>
    public required ImmutableArray<CompanionFile> Companions { get; init; }

    /// <summary>Every matrix with its form.</summary>
    public required ImmutableArray<MatrixForm> Matrices { get; init; }

    /// <summary>Bits per weight with everything in: bases, scales, factors, padding, norms, embedding and head, over the checkpoint's parameter count (a tied embedding counted once).</summary>
    public required double BitsPerWeight { get; init; }

    /// <summary>What the model was calibrated on, or null.</summary>
    public CalibrationNote? Calibration { get; init; }

    /// <summary>Measured quality, or null.</summary>
    public QualityNote? Quality { get; init; }
}

/// <summary>What the arithmetic quantises besides weights.</summary>
/// <param name="ActivationBits">16 or 8: the width activations are quantised to before an integer product.</param>
/// <param name="KeyValueCache">The element type of the KV cache: <c>float32</c>.</param>
public sealed record ArithmeticSettings(int ActivationBits, string KeyValueCache);

/// <summary>One weight file.</summary>
/// <param name="Unit">The unit (see <see cref="LayerRange"/>).</param>
/// <param name="Name">File name inside the folder, without any path.</param>
/// <param name="Bytes">Length.</param>
/// <param name="Sha256">Hash of the whole file, lower-case hexadecimal.</param>
public sealed record WeightFile(int Unit, string Name, long Bytes, string Sha256);

/// <summary>A file copied unchanged from the checkpoint.</summary>
/// <param name="Name">File name inside the folder, without any path.</param>
/// <param name="Bytes">Length.</param>
/// <param name="Sha256">Hash of the whole file, lower-case hexadecimal.</param>
public sealed record CompanionFile(string Name, long Bytes, string Sha256);

/// <summary>How one matrix is held: y = B·x + U·(V·x).</summary>
/// <param name="Unit">The unit it belongs to.</param>
/// <param name="Name">Its name inside the unit, for example <c>self_attn.q_proj</c>.</param>
/// <param name="Outputs">Rows of the matrix.</param>
/// <param name="Inputs">Columns of the matrix.</param>
/// <param name="Base">Form of B, or null when B is absent.</param>
/// <param name="Rank">Rank of U·V; 0 when absent.</param>
/// <param name="Factors">Form of U and V, or null when the rank is 0.</param>
/// <param name="Bytes">Bytes of weights, scales and padding included.</param>
public sealed record MatrixForm(int Unit, string Name, int Outputs, int Inputs, GroupForm? Base, int Rank, GroupForm? Factors, long Bytes);

/// <summary>Group-wise integer quantisation along the input.</summary>
/// <param name="Bits">Bits of one weight: 8.</param>
/// <param name="Group">Inputs that share a scale: 32 or 64.</param>
public sealed record GroupForm(int Bits, int Group);

/// <summary>What a model was calibrated on.</summary>
/// <param name="Sha256">Hash of the text.</param>
/// <param name="Tokens">Tokens used.</param>
public sealed record CalibrationNote(string Sha256, long Tokens);

/// <summary>Measured quality against the uncompressed model.</summary>
/// <param name="TextSha256">Hash of the text measured on.</param>
/// <param name="Tokens">Tokens scored.</param>
/// <param name="Perplexity">Of the compressed model.</param>
/// <param name="ReferencePerplexity">Of the uncompressed model.</param>
public sealed record QualityNote(string TextSha256, long Tokens, double Perplexity, double ReferencePerplexity);
