using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>The values of one <c>config.json</c>, each read with its bounds; errors name the file and the key.</summary>
internal sealed class ConfigReaderValues(JsonElement root, string path)
{
    public JsonElement Root => root;

    public string Path => path;

    public JsonElement? Get(string key) => CheckpointJson.Get(root, key);

    /// <summary>The same file, one object deeper.</summary>
    public ConfigReaderValues? Section(string key) => Get(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } section => new ConfigReaderValues(section, path),
        _ => throw Bad(key, "is not an object"),
    };

    public int Integer(string key, int least, int most, int? fallback = null)
    {
        if (Get(key) is not { } value)
        {
            return fallback ?? throw Bad(key, "is missing");
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= least && number <= most
            ? number
            : throw Bad(key, $"is {Shown(value)}, not a whole number in [{least}, {most}]");
    }

    public double Real(string key, double least, double most, double? fallback = null)
    {
        if (Get(key) is not { } value)
        {
            return fallback ?? throw Bad(key, "is missing");
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most
            ? number
            : throw Bad(key, $"is {Shown(value)}, not a number in [{least}, {most}]");
    }

    public bool Flag(string key, bool fallback) => Get(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Bad(key, $"is {Shown(value)}, not true or false"),
    };

    public string? Text(string key) => Get(key) is { } value ? CheckpointJson.Text(value, key, path) : null;

    /// <summary>Token ids written as one number or as a list of them.</summary>
    public IEnumerable<int> Tokens(string key, int vocabulary)
    {
        const int Most = 64;
        switch (Get(key))
        {
            case null:
                return [];
            case { ValueKind: JsonValueKind.Array } list when list.GetArrayLength() <= Most:
                return [.. list.EnumerateArray().Select(Token)];
            case { ValueKind: JsonValueKind.Array }:
                throw Bad(key, $"has more than {Most} ids");
            case { } single:
                return [Token(single)];
        }

        int Token(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var id) && id >= 0 && id < vocabulary
            ? id
            : throw Bad(key, $"has {Shown(value)}, which is no id of a vocabulary of {vocabulary}");
    }

    public InvalidDataException Bad(string key, string problem) => new($"\"{path}\": {key} {problem}.");

    public NotSupportedException Unsupported(string key, string problem) => new($"\"{path}\": {key} {problem}.");

    private static string Shown(JsonElement value)
    {
        var text = value.GetRawText();
        return text.Length <= 40 ? text : text[..40] + "...";
    }
}
