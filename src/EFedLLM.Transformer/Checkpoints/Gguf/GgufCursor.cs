using System.Runtime.InteropServices;
using System.Text;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>Reads the little-endian bytes of a GGUF file one after another. Whatever the file claims, it never leaves its bounds.</summary>
internal sealed unsafe class GgufCursor(byte* start, long length, long position = 0)
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Where the next byte lies, from the beginning of the file.</summary>
    public long Position { get; private set; } = position;

    /// <summary>Bytes from there to the end of the file.</summary>
    public long Left => length - Position;

    /// <summary>The next value of a fixed size.</summary>
    /// <exception cref="InvalidDataException">The file ends before its end.</exception>
    public T Read<T>(string what)
        where T : unmanaged
    {
        var at = Position;
        Skip((ulong)sizeof(T), what);
        return MemoryMarshal.Read<T>(new ReadOnlySpan<byte>(start + at, sizeof(T)));
    }

    /// <summary>Passes over bytes.</summary>
    /// <exception cref="InvalidDataException">The file ends before their end.</exception>
    public void Skip(ulong count, string what)
    {
        if (count > (ulong)Left)
        {
            throw new InvalidDataException($"it ends inside {what}: {count} bytes are claimed at {Position}, {Left} are left");
        }

        Position += (long)count;
    }

    /// <summary>Passes over a string and its length.</summary>
    /// <exception cref="InvalidDataException">The file ends before its end.</exception>
    public void SkipText(string what) => Skip(Read<ulong>(what), what);

    /// <summary>The next string.</summary>
    /// <exception cref="InvalidDataException">The file ends before its end, it has more than <paramref name="most"/> bytes, or it is not UTF-8.</exception>
    public string Text(int most, string what)
    {
        var count = Read<ulong>(what);
        if (count > (ulong)most)
        {
            throw new InvalidDataException($"{what} has {count} bytes, more than {most}");
        }

        var at = Position;
        Skip(count, what);
        try
        {
            return Strict.GetString(start + at, (int)count);
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidDataException($"{what} is not UTF-8 text", error);
        }
    }
}
