using System.Collections.Immutable;
using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// Reads the header of a safetensors file (github.com/huggingface/safetensors, "Format"): a JSON object of tensors
/// whose data lies behind it without a gap. The header is a stranger's word; nothing is allocated by what it claims.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>The format's own limit.</summary>
    public const long MaximumLength = 100_000_000;

    private const int MaximumTensors = 1 << 18;
    private const int MaximumDimensions = 8;
    private const int MaximumNameLength = 1024;
    private const string MetadataName = "__metadata__";

    /// <summary>The tensors in the order of their data.</summary>
    /// <param name="json">The header, without the length in front of it.</param>
    /// <param name="dataStart">Where the data begins in the file, in bytes.</param>
    /// <param name="dataLength">Bytes of data in the file.</param>
    /// <exception cref="InvalidDataException">It is malformed; the message says how.</exception>
    public static List<SafetensorsTensor> Read(ReadOnlySpan<byte> json, long dataStart, long dataLength)
    {
        try
        {
            var tensors = ReadTensors(json, dataStart);
            CheckData(tensors, dataStart, dataLength);
            return tensors;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"its header is not valid JSON: {error.Message}", error);
        }
    }

    private static List<SafetensorsTensor> ReadTensors(ReadOnlySpan<byte> json, long dataStart)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        var tensors = new List<SafetensorsTensor>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        Expect(ref reader, JsonTokenType.StartObject, "its header");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = ReadName(ref reader);
            Require(names.Add(name), $"its header names the tensor \"{name}\" twice");
            if (name == MetadataName)
            {
                SkipMetadata(ref reader);
                continue;
            }

            Require(tensors.Count < MaximumTensors, $"its header has more than {MaximumTensors} tensors");
            tensors.Add(ReadTensor(ref reader, name, dataStart));
        }

        Require(reader.TokenType == JsonTokenType.EndObject && reader.CurrentDepth == 0, "its header ends early");

        // Reading on makes the reader complain about anything but white space.
        Require(!reader.Read(), "its header goes on behind its end");
        return tensors;
    }

    private static SafetensorsTensor ReadTensor(ref Utf8JsonReader reader, string name, long dataStart)
    {
        SafetensorsType? type = null;
        ImmutableArray<long> shape = default;
        ImmutableArray<long> offsets = default;
        Expect(ref reader, JsonTokenType.StartObject, $"the header's entry \"{name}\"");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("dtype"u8))
            {
                Require(type is null, $"the tensor \"{name}\" has two data types");
                type = ReadType(ref reader, name);
            }
            else if (reader.ValueTextEquals("shape"u8))
            {
                Require(shape.IsDefault, $"the tensor \"{name}\" has two shapes");
                shape = ReadNumbers(ref reader, $"the shape of the tensor \"{name}\"", MaximumDimensions);
            }
            else if (reader.ValueTextEquals("data_offsets"u8))
            {
                Require(offsets.IsDefault, $"the tensor \"{name}\" has two pairs of offsets");
                offsets = ReadNumbers(ref reader, $"the offsets of the tensor \"{name}\"", 2);
            }
            else
            {
                Require(false, $"the tensor \"{name}\" has a field that the format does not know");
            }
        }

        Require(type is not null && !shape.IsDefault && !offsets.IsDefault && offsets.Length == 2, $"the tensor \"{name}\" lacks its dtype, shape or data_offsets");
        Require(offsets[0] <= offsets[1], $"the tensor \"{name}\" ends before it begins");
        var bytes = SafetensorsTensor.BytesOf(type!.Value, shape.AsSpan());
        Require(bytes == offsets[1] - offsets[0], $"the tensor \"{name}\" has {offsets[1] - offsets[0]} bytes of data, which is not what its shape and type take");
        Require(offsets[1] <= long.MaxValue - dataStart, $"the tensor \"{name}\" ends behind the end of the file");
        return new(name, type.Value, shape, dataStart + offsets[0], bytes!.Value);
    }

    private static void CheckData(List<SafetensorsTensor> tensors, long dataStart, long dataLength)
    {
        tensors.Sort((one, other) => one.Offset != other.Offset ? one.Offset.CompareTo(other.Offset) : one.Bytes.CompareTo(other.Bytes));
        var end = dataStart;
        foreach (var tensor in tensors)
        {
            Require(tensor.Offset >= end, $"the tensor \"{tensor.Name}\" overlaps another one");
            Require(tensor.Offset == end, $"there is a gap before the tensor \"{tensor.Name}\"");
            end = tensor.Offset + tensor.Bytes;
            Require(end - dataStart <= dataLength, $"the tensor \"{tensor.Name}\" ends behind the end of the file; it is probably cut short");
        }

        Require(end - dataStart == dataLength, $"it has {dataLength - (end - dataStart)} bytes that belong to no tensor");
    }

    private static SafetensorsType ReadType(ref Utf8JsonReader reader, string name)
    {
        Expect(ref reader, JsonTokenType.String, $"the dtype of the tensor \"{name}\"");
        foreach (var type in Enum.GetValues<SafetensorsType>())
        {
            if (reader.ValueTextEquals(SafetensorsTensor.NameOf(type)))
            {
                return type;
            }
        }

        throw new InvalidDataException($"the tensor \"{name}\" has a data type that is not known; known are {string.Join(", ", Enum.GetValues<SafetensorsType>().Select(SafetensorsTensor.NameOf))}");
    }

    private static ImmutableArray<long> ReadNumbers(ref Utf8JsonReader reader, string what, int most)
    {
        var numbers = ImmutableArray.CreateBuilder<long>();
        Expect(ref reader, JsonTokenType.StartArray, what);
        while (reader.Read() && reader.TokenType == JsonTokenType.Number)
        {
            Require(numbers.Count < most, $"{what} has more than {most} numbers");
            Require(reader.TryGetInt64(out var number) && number >= 0, $"{what} has a number that is not a whole one from 0 on");
            numbers.Add(number);
        }

        Require(reader.TokenType == JsonTokenType.EndArray, $"{what} is not a list of numbers");
        return numbers.ToImmutable();
    }

    private static string ReadName(ref Utf8JsonReader reader)
    {
        Require(reader.ValueSpan.Length <= MaximumNameLength, $"its header has a name longer than {MaximumNameLength} bytes");
        return reader.GetString()!;
    }

    private static void SkipMetadata(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartObject, MetadataName);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            Expect(ref reader, JsonTokenType.String, "a value of " + MetadataName);
        }
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type, string what) =>
        Require(reader.Read() && reader.TokenType == type, $"{what} is not a JSON {(type is JsonTokenType.StartObject ? "object" : type is JsonTokenType.StartArray ? "array" : "string")}");

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw new InvalidDataException(problem);
        }
    }
}
