using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// Reads the part of a GGUF file in front of its data (ggml's docs/gguf.md, "File Structure", versions 2 and 3). All of it
/// is a stranger's word: nothing is allocated by what it claims, and what it says of the data is held against the file's length.
/// </summary>
internal static unsafe class GgufHeader
{
    private const uint Magic = 0x46554747;
    private const int MaximumValues = 1 << 16;
    private const int MaximumTensors = 1 << 18;
    private const int MaximumKeyLength = 65535;
    private const int MaximumNameLength = 256;
    private const int MaximumDimensions = 4;
    private const int MaximumDepth = 4;
    private const uint MaximumAlignment = 1 << 20;
    private const string AlignmentKey = "general.alignment";

    /// <summary>Metadata by their keys, and the tensors in the order of their data.</summary>
    /// <exception cref="InvalidDataException">It is malformed; the message says how.</exception>
    /// <exception cref="NotSupportedException">It is of another version or byte order; the message says what to do.</exception>
    public static (uint Version, Dictionary<string, GgufValue> Values, List<GgufTensor> Tensors) Read(byte* start, long length)
    {
        var cursor = new GgufCursor(start, length);
        Require(cursor.Read<uint>("its first four bytes") == Magic, "it does not begin with the letters GGUF");
        var version = Version(cursor.Read<uint>("its version"));
        var tensorCount = cursor.Read<ulong>("its number of tensors");
        var valueCount = cursor.Read<ulong>("its number of metadata values");
        Require(tensorCount <= MaximumTensors, $"it claims {tensorCount} tensors, more than {MaximumTensors}");
        Require(valueCount <= MaximumValues, $"it claims {valueCount} metadata values, more than {MaximumValues}");
        var values = new Dictionary<string, GgufValue>(StringComparer.Ordinal);
        for (var i = 0; i < (int)valueCount; i++)
        {
            var key = cursor.Text(MaximumKeyLength, $"the key of metadata value {i}");
            Require(values.TryAdd(key, Value(cursor, key)), $"its metadata have the key \"{key}\" twice");
        }

        var alignment = Alignment(start, length, values);
        var tensors = new List<GgufTensor>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < (int)tensorCount; i++)
        {
            var tensor = Tensor(cursor, i, alignment);
            Require(names.Add(tensor.Name), $"it has the tensor \"{tensor.Name}\" twice");
            tensors.Add(tensor);
        }

        var dataStart = (cursor.Position + alignment - 1) / alignment * alignment;
        return (version, values, Place(tensors, dataStart, length));
    }

    private static uint Version(uint version)
    {
        const uint OtherByteOrder = 0xFFFF;
        if (version is 2 or 3)
        {
            return version;
        }

        throw version == 1
            ? new NotSupportedException("is of version 1 of the format, which only its first weeks saw; versions 2 and 3 are read. Convert the model again with a current llama.cpp.")
            : version is > 0 and <= OtherByteOrder ? new NotSupportedException($"is of version {version} of the format; versions 2 and 3 are read. Convert the model again with a llama.cpp that writes one of them.")
            : (version & OtherByteOrder) == 0 ? new NotSupportedException("is big-endian, for machines of another byte order. Fetch or convert a little-endian one.")
            : new InvalidDataException("its version is no version of the format");
    }

    private static GgufValue Value(GgufCursor cursor, string key)
    {
        var type = ValueType(cursor, key);
        if (type != GgufValueType.Array)
        {
            var at = cursor.Position;
            Skip(cursor, type, 1, key, 0);
            return new(type, false, at, 1);
        }

        var element = ValueType(cursor, key);
        var count = cursor.Read<ulong>(Named(key));
        var first = cursor.Position;
        Skip(cursor, element, count, key, 1);
        return new(element, true, first, (long)count);
    }

    private static void Skip(GgufCursor cursor, GgufValueType type, ulong count, string key, int depth)
    {
        var size = (ulong)SizeOf(type);
        Require(count <= (ulong)cursor.Left / size, $"it ends inside {Named(key)}, which claims {count} elements");
        if (type is not (GgufValueType.String or GgufValueType.Array))
        {
            cursor.Skip(count * size, Named(key));
            return;
        }

        for (var i = 0UL; i < count; i++)
        {
            if (type == GgufValueType.String)
            {
                cursor.SkipText(Named(key));
                continue;
            }

            Require(depth < MaximumDepth, $"{Named(key)} has arrays inside arrays, more than {MaximumDepth} deep");
            var element = ValueType(cursor, key);
            Skip(cursor, element, cursor.Read<ulong>(Named(key)), key, depth + 1);
        }
    }

    /// <summary>Bytes of a value; of one whose size it says itself, the least.</summary>
    private static int SizeOf(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.Array => sizeof(uint) + sizeof(ulong),
        _ => 8,
    };

    private static GgufValueType ValueType(GgufCursor cursor, string key)
    {
        var type = (GgufValueType)cursor.Read<uint>(Named(key));
        Require(Enum.IsDefined(type), $"{Named(key)} is of type {(uint)type}, which the format does not know");
        return type;
    }

    private static long Alignment(byte* start, long length, Dictionary<string, GgufValue> values)
    {
        const uint Usual = 32;
        if (!values.TryGetValue(AlignmentKey, out var value))
        {
            return Usual;
        }

        Require(!value.IsArray && value.Type == GgufValueType.UInt32, $"its {AlignmentKey} is not a 32-bit number");
        var alignment = new GgufCursor(start, length, value.Offset).Read<uint>(AlignmentKey);
        Require(alignment is > 0 and <= MaximumAlignment && uint.IsPow2(alignment), $"its {AlignmentKey} is {alignment}, not a power of two up to {MaximumAlignment}");
        return alignment;
    }

    /// <summary>A tensor whose offset still counts from the beginning of the data.</summary>
    private static GgufTensor Tensor(GgufCursor cursor, int index, long alignment)
    {
        var name = cursor.Text(MaximumNameLength, $"the name of tensor {index}");
        Require(name.Length > 0, $"tensor {index} has no name");
        var count = cursor.Read<uint>($"the tensor \"{name}\"");
        Require(count <= MaximumDimensions, $"the tensor \"{name}\" has {count} dimensions, more than {MaximumDimensions}");
        var shape = new long[count];
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            var dimension = cursor.Read<ulong>($"the shape of the tensor \"{name}\"");
            Require(dimension <= long.MaxValue, $"the tensor \"{name}\" has a dimension of {dimension}");
            shape[i] = (long)dimension;
        }

        var type = cursor.Read<uint>($"the type of the tensor \"{name}\"");
        var layout = GgufTypes.Find(type) ?? throw new InvalidDataException($"the tensor \"{name}\" is of type {type}, which is not known");
        var row = shape.Length == 0 ? 1 : shape[^1];
        Require(row % layout.Elements == 0, $"the tensor \"{name}\" has rows of {row} values, which do not fill {layout.Name}'s blocks of {layout.Elements}");
        var elements = (Int128)1;
        foreach (var dimension in shape)
        {
            elements *= dimension;
            Require(elements <= long.MaxValue, $"the tensor \"{name}\" claims more values than a file can hold");
        }

        var bytes = elements / layout.Elements * layout.Bytes;
        Require(bytes <= long.MaxValue, $"the tensor \"{name}\" claims more bytes than a file can hold");
        var offset = cursor.Read<ulong>($"the offset of the tensor \"{name}\"");
        Require(offset <= long.MaxValue && (long)offset % alignment == 0, $"the tensor \"{name}\" begins at {offset}, which is no multiple of {alignment}");
        return new(name, type, [.. shape], (long)elements, (long)offset, (long)bytes);
    }

    private static List<GgufTensor> Place(List<GgufTensor> tensors, long dataStart, long length)
    {
        var placed = new List<GgufTensor>(tensors.Count);
        var end = 0L;
        foreach (var tensor in tensors.OrderBy(tensor => tensor.Offset).ThenBy(tensor => tensor.Bytes))
        {
            Require(tensor.Offset >= end, $"the tensor \"{tensor.Name}\" overlaps another one");
            Require((Int128)dataStart + tensor.Offset + tensor.Bytes <= length, $"the tensor \"{tensor.Name}\" ends behind the end of the file; it is probably cut short");
            end = tensor.Offset + tensor.Bytes;
            placed.Add(tensor with { Offset = dataStart + tensor.Offset });
        }

        return placed;
    }

    private static string Named(string key) => $"the metadata value \"{(key.Length <= 64 ? key : key[..64] + "...")}\"";

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw new InvalidDataException(problem);
        }
    }
}
