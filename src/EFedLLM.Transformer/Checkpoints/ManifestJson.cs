using System.Text.Json;
using System.Text.Json.Serialization;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Reads and writes <c>manifest.json</c>. The bytes written for a manifest are always the same.</summary>
internal static class ManifestJson
{
    /// <summary>No manifest is longer: the deepest model allowed needs about 3 MB.</summary>
    public const int MaximumBytes = 4 << 20;

    public static byte[] Write(ModelManifest manifest) =>
        [.. JsonSerializer.SerializeToUtf8Bytes(manifest, ManifestJsonContext.Default.ModelManifest), (byte)'\n'];

    /// <summary>Parses without judging the values.</summary>
    /// <exception cref="InvalidDataException">It is not a manifest of this version; the message says why.</exception>
    public static ModelManifest Read(ReadOnlySpan<byte> json)
    {
        if (json.Length > MaximumBytes)
        {
            throw new InvalidDataException($"A manifest of {json.Length} bytes is refused: at most {MaximumBytes} are read.");
        }

        try
        {
            var version = JsonSerializer.Deserialize(json, ManifestJsonContext.Default.ManifestVersion);
            if (version?.Format != ModelManifest.FormatName)
            {
                throw new InvalidDataException($"The manifest's format is not \"{ModelManifest.FormatName}\": this is no factored model. Make one with: efedllm compress.");
            }

            if (version.Version != ModelManifest.CurrentVersion)
            {
                throw new InvalidDataException(
                    $"The manifest has version {version.Version}, this program reads version {ModelManifest.CurrentVersion}: compress the checkpoint again, or use the program that wrote it.");
            }

            return JsonSerializer.Deserialize(json, ManifestJsonContext.Default.ModelManifest)
                ?? throw new InvalidDataException("The manifest is empty.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"The manifest cannot be read: {error.Message}", error);
        }
    }
}

/// <summary>The two fields that say whether the rest can be understood.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Skip)]
internal sealed record ManifestVersion(string Format, int Version);

/// <summary>An enum written as its name in camel case; numbers are refused.</summary>
internal sealed class CamelCaseEnumConverter<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase, allowIntegerValues: false)
    where T : struct, Enum;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    IgnoreReadOnlyProperties = true,
    MaxDepth = 16,
    WriteIndented = true,
    NewLine = "\n",
    Converters = [typeof(CamelCaseEnumConverter<RopeScalingKind>)])]
[JsonSerializable(typeof(ModelManifest))]
[JsonSerializable(typeof(ManifestVersion))]
internal sealed partial class ManifestJsonContext : JsonSerializerContext;
