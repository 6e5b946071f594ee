using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Reads the JSON files of a model folder: never more than a bound, and with errors that name the file.</summary>
internal static class CheckpointJson
{
    private const int MaximumDepth = 64;

    /// <summary>Reads a file that may have up to <paramref name="most"/> bytes.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is longer than that.</exception>
    public static byte[] ReadBytes(string path, long most)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"\"{path}\" is not there. A model folder has config.json, *.safetensors and tokenizer.json (or tokenizer.model).", path);
        }

        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        if (stream.Length > most)
        {
            throw new InvalidDataException($"\"{path}\" has {stream.Length} bytes, more than the {most} that such a file may have.");
        }

        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Parses a file whose outermost value is an object.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is too long, no JSON, has a property twice, or is no object.</exception>
    public static JsonDocument ReadObject(string path, long most) => ParseObject(ReadBytes(path, most), path);

    /// <summary>Parses the bytes of a file whose outermost value is an object.</summary>
    /// <exception cref="InvalidDataException">They are no JSON, have a property twice, or are no object.</exception>
    public static JsonDocument ParseObject(ReadOnlyMemory<byte> bytes, string path)
    {
        if (bytes.Span.StartsWith("\uFEFF"u8))
        {
            bytes = bytes[3..];
        }

        try
        {
            var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = MaximumDepth, AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"\"{path}\" is not valid JSON: {error.Message}", error);
        }

        throw new InvalidDataException($"\"{path}\" is not a JSON object.");
    }

    /// <summary>A property, or null where it is absent or JSON's null.</summary>
    public static JsonElement? Get(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>A property's name.</summary>
    /// <exception cref="InvalidDataException">It is no text.</exception>
    public static string Name(JsonProperty property, string field, string path)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"\"{path}\": {field} has a name that is not valid Unicode text.", error);
        }
    }

    /// <summary>A string's text; JSON may hold escaped halves of surrogate pairs, which are no text.</summary>
    /// <exception cref="InvalidDataException">It is no string or no text.</exception>
    public static string Text(JsonElement value, string field, string path)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            throw new InvalidDataException($"\"{path}\": {field} is not a string.");
        }

        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"\"{path}\": {field} is not valid Unicode text.", error);
        }
    }
}
