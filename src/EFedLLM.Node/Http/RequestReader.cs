using System.Text.Json;

namespace EFedLLM.Node.Http;

/// <summary>
/// Reads the fields of one JSON object, each at most once, and in the end refuses those nobody read: an option that is
/// not honoured is an error, never ignored. A JSON null counts as absent.
/// </summary>
internal sealed class RequestReader
{
    private readonly Dictionary<string, JsonElement> _fields = new(StringComparer.Ordinal);
    private readonly string _prefix;

    public RequestReader(JsonElement value, string prefix = "")
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw new ApiException(StatusCodes.Status400BadRequest, prefix.Length == 0 ? "The body must be a JSON object." : $"'{prefix}' must be an object.");
        }

        _prefix = prefix;
        foreach (var property in value.EnumerateObject())
        {
            if (!_fields.TryAdd(property.Name, property.Value))
            {
                throw ApiException.Invalid(Name(property.Name), $"'{Name(property.Name)}' is given twice.");
            }
        }
    }

    public JsonElement? Take(string field) =>
        _fields.Remove(field, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    public string? Text(string field) => Take(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(field, "a string");

    public string RequiredText(string field) => Text(field) ?? throw Missing(field);

    public bool Flag(string field) => Take(field) is { } value && value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(field, "true or false"),
    };

    public int? Integer(string field, int least, int most)
    {
        if (Take(field) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= least && number <= most
            ? number
            : throw Wrong(field, $"a whole number from {least} to {most}");
    }

    public double? Number(string field, double least, double most)
    {
        if (Take(field) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most
            ? number
            : throw Wrong(field, $"a number from {least} to {most}");
    }

    /// <summary>Accepts a field only where its value asks for nothing: what <paramref name="harmless"/> says is honoured by doing nothing.</summary>
    public void Refuse(string field, Func<JsonElement, bool>? harmless = null)
    {
        if (Take(field) is { } value && harmless?.Invoke(value) != true)
        {
            throw ApiException.Unsupported(Name(field), $"'{Name(field)}' is not supported by this server: leave it out.");
        }
    }

    /// <summary>Takes fields that carry information for the provider only.</summary>
    public void Accept(params ReadOnlySpan<string> fields)
    {
        foreach (var field in fields)
        {
            _fields.Remove(field);
        }
    }

    /// <summary>Refuses what was not read.</summary>
    public void End()
    {
        foreach (var field in _fields.Keys.Order(StringComparer.Ordinal))
        {
            var shown = Name(field.Length > 64 ? field[..64] + "…" : field);
            throw ApiException.Unsupported(shown, $"Unrecognised field '{shown}'.");
        }
    }

    public ApiException Missing(string field) => ApiException.Invalid(Name(field), $"'{Name(field)}' is required.");

    public ApiException Wrong(string field, string expected) => ApiException.Invalid(Name(field), $"'{Name(field)}' must be {expected}.");

    private string Name(string field) => _prefix.Length == 0 ? field : $"{_prefix}.{field}";
}
