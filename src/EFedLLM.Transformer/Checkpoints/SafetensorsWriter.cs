using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// Writes a safetensors file in one pass: the header from a list of tensors, then their data piece by piece in that
/// order. Every tensor begins at a multiple of <see cref="Alignment"/> bytes of the file. The header is padded with
/// spaces, as the format provides; between tensors, where it allows no gap, zero-filled U8 tensors named
/// <c>__pad_0</c>, <c>__pad_1</c>, ... take up the bytes, so that every reader of the format accepts the file.
/// </summary>
public sealed class SafetensorsWriter
{
    /// <summary>Bytes to whose multiples tensors are aligned: a cache line, and the widest vector register.</summary>
    public const int Alignment = 64;

    private const string PaddingPrefix = "__pad_";

    private readonly Stream _stream;
    private int _current = -1;
    private long _left;

    /// <summary>Lays out the file and writes its header.</summary>
    /// <param name="stream">Receives the file; it is not closed.</param>
    /// <param name="tensors">Name, type and shape of every tensor, in the order in which their data will follow.</param>
    /// <exception cref="ArgumentException">A name is reserved or appears twice, or a shape has a negative or too large dimension.</exception>
    public SafetensorsWriter(Stream stream, IEnumerable<(string Name, SafetensorsType Type, ImmutableArray<long> Shape)> tensors)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(tensors);
        _stream = stream;
        var header = new MemoryStream();
        Tensors = WriteHeader(header, tensors);
        var dataStart = sizeof(ulong) + header.Length;
        var padded = (dataStart + Alignment - 1) / Alignment * Alignment;
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)(padded - sizeof(ulong)));
        stream.Write(length);
        stream.Write(header.GetBuffer().AsSpan(0, (int)header.Length));
        Span<byte> spaces = stackalloc byte[Alignment];
        spaces.Fill((byte)' ');
        stream.Write(spaces[..(int)(padded - dataStart)]);
        Tensors = [.. Tensors.Select(tensor => tensor with { Offset = tensor.Offset + padded })];
        Advance();
    }

    /// <summary>The tensors as laid out, without the padding between them.</summary>
    public ImmutableArray<SafetensorsTensor> Tensors { get; }

    /// <summary>The tensor whose data is to be written next, or null when all are there.</summary>
    public SafetensorsTensor? Current => _current < Tensors.Length ? Tensors[_current] : null;

    /// <summary>Whether a name is one of those that take up the bytes between tensors.</summary>
    public static bool IsPadding(string name) => name.StartsWith(PaddingPrefix, StringComparison.Ordinal);

    /// <summary>Writes the next bytes of <see cref="Current"/>; with its last one the next tensor becomes current.</summary>
    /// <exception cref="ArgumentException">More bytes than the tensor lacks.</exception>
    public void Write(ReadOnlySpan<byte> data)
    {
        if (data.Length > _left)
        {
            throw new ArgumentException($"{data.Length} bytes were given where \"{Current?.Name}\" lacks {_left}.", nameof(data));
        }

        _stream.Write(data);
        _left -= data.Length;
        if (_left == 0 && data.Length > 0)
        {
            Pad(Tensors[_current].Bytes);
            Advance();
        }
    }

    /// <summary>Checks that every tensor was written whole, and flushes.</summary>
    /// <exception cref="InvalidOperationException">Data is missing.</exception>
    public void Finish()
    {
        if (Current is { } missing)
        {
            throw new InvalidOperationException($"\"{missing.Name}\" lacks {_left} of its {missing.Bytes} bytes.");
        }

        _stream.Flush();
    }

    private static ImmutableArray<SafetensorsTensor> WriteHeader(Stream stream, IEnumerable<(string Name, SafetensorsType Type, ImmutableArray<long> Shape)> tensors)
    {
        var laidOut = ImmutableArray.CreateBuilder<SafetensorsTensor>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var end = 0L;
        var padding = 0;
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        foreach (var (name, type, shape) in tensors)
        {
            if (name.StartsWith("__", StringComparison.Ordinal) || !names.Add(name))
            {
                throw new ArgumentException($"The tensor name \"{name}\" is reserved or appears twice.", nameof(tensors));
            }

            var bytes = SafetensorsTensor.BytesOf(type, shape.AsSpan());
            if (bytes is null || bytes > long.MaxValue - end - 2 * Alignment)
            {
                throw new ArgumentException($"The tensor \"{name}\" has an impossible shape.", nameof(tensors));
            }

            laidOut.Add(new(name, type, shape, end, bytes.Value));
            WriteEntry(json, name, type, shape, end, end += bytes.Value);
            var gap = Gap(bytes.Value);
            if (gap > 0)
            {
                WriteEntry(json, PaddingPrefix + padding++, SafetensorsType.U8, [gap], end, end += gap);
            }
        }

        json.WriteEndObject();
        return laidOut.ToImmutable();
    }

    private static void WriteEntry(Utf8JsonWriter json, string name, SafetensorsType type, ImmutableArray<long> shape, long begin, long end)
    {
        json.WriteStartObject(name);
        json.WriteString("dtype", SafetensorsTensor.NameOf(type));
        json.WriteStartArray("shape");
        foreach (var dimension in shape)
        {
            json.WriteNumberValue(dimension);
        }

        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(begin);
        json.WriteNumberValue(end);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static int Gap(long bytes) => (int)(-bytes & (Alignment - 1));

    private void Pad(long bytes)
    {
        Span<byte> zeros = stackalloc byte[Alignment];
        zeros.Clear();
        _stream.Write(zeros[..Gap(bytes)]);
    }

    private void Advance()
    {
        // A tensor without elements has no data to wait for.
        do
        {
            _current++;
            _left = Current?.Bytes ?? 0;
        }
        while (_left == 0 && Current is not null);
    }
}
