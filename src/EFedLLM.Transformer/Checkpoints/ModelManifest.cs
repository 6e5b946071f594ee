using System.Collections.Immutable;
using System.Security.Cryptography;

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

    /// <summary>Name of the file.</summary>
    public const string FileName = "manifest.json";

    /// <summary>No manifest is longer.</summary>
    public const int MaximumBytes = ManifestJson.MaximumBytes;

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

    /// <summary>Bits per weight with everything in, as read per token: always <see cref="ReadBitsPerWeight"/>.</summary>
    public required double BitsPerWeight { get; init; }

    /// <summary>What the model was calibrated on, or null.</summary>
    public CalibrationNote? Calibration { get; init; }

    /// <summary>Measured quality, or null.</summary>
    public QualityNote? Quality { get; init; }

    /// <summary>Bytes of all weight files, headers and alignment included.</summary>
    public long TotalBytes => Files.Sum(file => file.Bytes);

    /// <summary>Bytes of weights that computing one token reads, scales, factors and padding included: one row of the embedding, all of any other unit.</summary>
    public long ReadBytesPerToken => Enumerable.Range(0, Shape.Units).Sum(UnitReadBytes);

    /// <summary>
    /// Bits per weight as read per token: <see cref="ReadBytesPerToken"/> over the weights that computing one token uses
    /// (<see cref="ManifestLayout.ParametersPerToken"/>). A table that serves as embedding and as head counts as the head it is read as.
    /// </summary>
    public double ReadBitsPerWeight => ReadBytesPerToken * 8.0 / ManifestLayout.ParametersPerToken(Shape);

    /// <summary>Reads a manifest and checks every field, so that its numbers may be relied on.</summary>
    /// <param name="json">The bytes of <c>manifest.json</c>.</param>
    /// <exception cref="InvalidDataException">It is malformed or out of bounds; the message names the field.</exception>
    public static ModelManifest Parse(ReadOnlySpan<byte> json)
    {
        var manifest = ManifestJson.Read(json);
        ManifestRules.Check(manifest);
        return manifest;
    }

    /// <summary>The identity of the model whose <c>manifest.json</c> has these bytes.</summary>
    public static ModelId IdOf(ReadOnlySpan<byte> json) => new(Convert.ToHexStringLower(SHA256.HashData(json)));

    /// <summary>The bytes of <c>manifest.json</c>: always the same for equal manifests.</summary>
    /// <exception cref="InvalidDataException">A field is out of bounds.</exception>
    public byte[] ToJson()
    {
        ManifestRules.Check(this);
        return ManifestJson.Write(this);
    }

    /// <summary>The forms of a unit's matrices, in execution order.</summary>
    public ImmutableArray<MatrixForm> MatricesOf(int unit)
    {
        var (tables, perLayer) = (ManifestLayout.Sites(Shape, 0).Length, ManifestLayout.Sites(Shape, 1).Length);
        return unit == 0
            ? Matrices.Slice(0, tables)
            : Matrices.Slice(tables + (unit - 1) * perLayer, ManifestLayout.Sites(Shape, unit).Length);
    }

    /// <summary>The tensors of a unit's file, in the order of their data.</summary>
    public ImmutableArray<ManifestTensor> Tensors(int unit) => ManifestLayout.Tensors(Shape, unit, MatricesOf(unit));

    /// <summary>Bytes of weights that computing one token reads from a unit: one row of each table of the embedding, all of any other unit.</summary>
    public long UnitReadBytes(int unit)
    {
        var bytes = Tensors(unit).Sum(tensor => tensor.Bytes);
        return unit == 0 ? bytes - MatricesOf(0).Sum(table => table.Bytes - table.Bytes / table.Outputs) : bytes;
    }
}
