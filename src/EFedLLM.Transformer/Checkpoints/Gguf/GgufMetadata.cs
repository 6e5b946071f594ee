namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>The metadata of a GGUF file, each value read with its bounds; errors name the file and the key.</summary>
internal sealed unsafe class GgufMetadata(string path, byte* start, long length, Dictionary<string, GgufValue> values)
{
    private const int MaximumText = 8 << 20;

    public string Path => path;

    public bool Has(string key) => values.ContainsKey(key);

    public string? Text(string key) => Find(key) switch
    {
        null => null,
        { IsArray: false, Type: GgufValueType.String } value => Named(() => Cursor(value).Text(MaximumText, key)),
        _ => throw Bad(key, "is not a text"),
    };

    public bool Flag(string key, bool fallback)
    {
        if (Find(key) is not { } value)
        {
            return fallback;
        }

        var flag = value is { IsArray: false, Type: GgufValueType.Bool } ? Cursor(value).Read<byte>(key) : byte.MaxValue;
        return flag <= 1 ? flag == 1 : throw Bad(key, "is not true or false");
    }

    /// <summary>A whole number; an array of one for each layer is that number if they are all the same.</summary>
    public int Integer(string key, int least, int most, int? fallback = null)
    {
        if (Find(key) is not { } value)
        {
            return fallback ?? throw Bad(key, "is missing");
        }

        if (value.Count == 0)
        {
            throw Bad(key, "is empty");
        }

        var cursor = Cursor(value);
        var number = Number(cursor, value.Type, key);
        for (var i = 1L; i < value.Count; i++)
        {
            if (Number(cursor, value.Type, key) != number)
            {
                throw Unsupported(key, "differs between layers, which is not supported");
            }
        }

        return number >= least && number <= most && number == Math.Truncate(number)
            ? (int)number
            : throw Bad(key, $"is {number}, not a whole number in [{least}, {most}]");
    }

    public int? OptionalInteger(string key, int least, int most) => Has(key) ? Integer(key, least, most) : null;

    public double Real(string key, double least, double most, double? fallback = null)
    {
        if (Find(key) is not { } value)
        {
            return fallback ?? throw Bad(key, "is missing");
        }

        if (value.IsArray)
        {
            throw Bad(key, "is not a number");
        }

        var number = Number(Cursor(value), value.Type, key);
        return number >= least && number <= most ? number : throw Bad(key, $"is {number}, not a number in [{least}, {most}]");
    }

    /// <summary>How many elements an array has; 0 where it is absent.</summary>
    public long Count(string key) => Find(key) is { IsArray: true } value ? value.Count : 0;

    /// <summary>A list of texts, or null where it is absent.</summary>
    /// <param name="key">The key.</param>
    /// <param name="most">Texts that it may have.</param>
    /// <param name="mostBytes">Bytes that each may have.</param>
    public string[]? Texts(string key, int most, int mostBytes)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        if (value is not { IsArray: true, Type: GgufValueType.String } || value.Count > most)
        {
            throw Bad(key, $"is not a list of at most {most} texts");
        }

        var cursor = Cursor(value);
        var texts = new string[value.Count];
        for (var i = 0; i < texts.Length; i++)
        {
            texts[i] = Named(() => cursor.Text(mostBytes, $"{key}[{i}]"));
        }

        return texts;
    }

    /// <summary>A list of numbers, or null where it is absent.</summary>
    public double[]? Numbers(string key, int most)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        if (!value.IsArray || value.Count > most)
        {
            throw Bad(key, $"is not a list of at most {most} numbers");
        }

        var cursor = Cursor(value);
        var numbers = new double[value.Count];
        for (var i = 0; i < numbers.Length; i++)
        {
            numbers[i] = Number(cursor, value.Type, key);
        }

        return numbers;
    }

    public InvalidDataException Bad(string key, string problem) => new($"\"{path}\": {key} {problem}. Fetch or convert the model again.");

    public NotSupportedException Unsupported(string key, string problem) => new($"\"{path}\": {key} {problem}.");

    private GgufValue? Find(string key) => values.TryGetValue(key, out var value) ? value : null;

    private GgufCursor Cursor(GgufValue value) => new(start, length, value.Offset);

    private double Number(GgufCursor cursor, GgufValueType type, string key) => type switch
    {
        GgufValueType.UInt8 => cursor.Read<byte>(key),
        GgufValueType.Int8 => cursor.Read<sbyte>(key),
        GgufValueType.UInt16 => cursor.Read<ushort>(key),
        GgufValueType.Int16 => cursor.Read<short>(key),
        GgufValueType.UInt32 => cursor.Read<uint>(key),
        GgufValueType.Int32 => cursor.Read<int>(key),
        GgufValueType.UInt64 => cursor.Read<ulong>(key),
        GgufValueType.Int64 => cursor.Read<long>(key),
        GgufValueType.Float32 => cursor.Read<float>(key),
        GgufValueType.Float64 => cursor.Read<double>(key),
        _ => throw Bad(key, "is not a number"),
    };

    private T Named<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"\"{path}\": {error.Message}. Fetch or convert the model again.", error);
        }
    }
}
