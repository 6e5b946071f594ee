using Microsoft.Win32.SafeHandles;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A unit's file that stays open and is read again and again, wherever it is moved to or whoever deletes it meanwhile. Thread-safe.</summary>
internal sealed class UnitReader : IDisposable
{
    private readonly SafeFileHandle _file;

    /// <summary>Opens the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="length">The length that it has to have.</param>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    /// <exception cref="InvalidDataException">It has another length.</exception>
    public UnitReader(string path, long length)
    {
        (Path, Length) = (path, length);
        _file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.SequentialScan);
        if (RandomAccess.GetLength(_file) != length)
        {
            _file.Dispose();
            throw Shorter();
        }
    }

    /// <summary>Where it lay when it was opened.</summary>
    public string Path { get; }

    /// <summary>Bytes of the whole file.</summary>
    public long Length { get; }

    /// <summary>Reads the whole file into memory, which it fits into.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is shorter by now.</exception>
    public void ReadInto(WeightMemory memory)
    {
        if (!memory.TryRead(_file, Length))
        {
            throw Shorter();
        }
    }

    /// <summary>Reads a part.</summary>
    /// <param name="destination">Receives as many bytes as it has room for.</param>
    /// <param name="offset">Where the part begins.</param>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is shorter by now.</exception>
    public void Read(Span<byte> destination, long offset)
    {
        while (!destination.IsEmpty)
        {
            var count = RandomAccess.Read(_file, destination, offset);
            if (count == 0)
            {
                throw Shorter();
            }

            destination = destination[count..];
            offset += count;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private InvalidDataException Shorter() => new($"\"{Path}\" does not have its {Length} bytes any more: it was cut or changed. Fetch it again.");
}
