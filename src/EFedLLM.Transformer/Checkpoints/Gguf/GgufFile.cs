using System.Collections.Frozen;
using System.Collections.Immutable;
using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// A GGUF file of version 2 or 3, mapped into memory read-only. Opening reads and checks what stands in front of the data
/// alone; a tensor's pages are read when it is. Reading is thread-safe.
/// </summary>
internal sealed unsafe class GgufFile : IDisposable
{
    /// <summary>About how many values are decoded in one go.</summary>
    private const int Piece = 1 << 20;

    private const int LeastBytes = 24;

    private readonly SafeMemoryMappedViewHandle _memory;
    private readonly byte* _start;
    private bool _disposed;

    /// <summary>Takes over the memory, unless it throws.</summary>
    private GgufFile(string path, SafeMemoryMappedViewHandle memory, long length)
    {
        (Path, _memory) = (path, memory);
        byte* start = null;
        memory.AcquirePointer(ref start);
        _start = start;
        try
        {
            (Version, var values, var tensors) = GgufHeader.Read(_start, length);
            Ordered = [.. tensors];
            Tensors = tensors.ToFrozenDictionary(tensor => tensor.Name, StringComparer.Ordinal);
            Metadata = new GgufMetadata(path, _start, length, values);
        }
        catch
        {
            memory.ReleasePointer();
            throw;
        }
    }

    /// <summary>Where the file lies.</summary>
    public string Path { get; }

    /// <summary>The version of its format.</summary>
    public uint Version { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, GgufTensor> Tensors { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public ImmutableArray<GgufTensor> Ordered { get; }

    /// <summary>What the file says of the model; gone when the file is disposed.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>Maps a file and checks what stands in front of its data against its length.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not a GGUF file, or not all of one; the message says why and what to do.</exception>
    /// <exception cref="NotSupportedException">It is of another version or byte order; the message says what to do.</exception>
    public static GgufFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var info = new FileInfo(path);
        if (!info.Exists)
        {
            throw new FileNotFoundException($"\"{path}\" is not there.", path);
        }

        if (info.Length < LeastBytes)
        {
            throw Refuse(path, "it is shorter than what begins such a file");
        }

        var memory = Map(path, info.Length);
        try
        {
            return new GgufFile(path, memory, info.Length);
        }
        catch (Exception error)
        {
            memory.Dispose();
            switch (error)
            {
                case InvalidDataException:
                    throw Refuse(path, error.Message);
                case NotSupportedException:
                    throw new NotSupportedException($"\"{path}\" {error.Message}", error);
                default:
                    throw;
            }
        }
    }

    /// <summary>Reads part of a tensor that holds weights as float32, with the roundings of ggml's own reading.</summary>
    /// <param name="tensor">One of this file's tensors.</param>
    /// <param name="destination">Receives as many values as it has room for: whole blocks of the tensor's type.</param>
    /// <param name="first">Index of the first value to read, in row-major order, where a block begins.</param>
    /// <exception cref="NotSupportedException">Weights are not read from the tensor's type.</exception>
    /// <exception cref="ArgumentException">The tensor has no such values, or they are not whole blocks.</exception>
    public void ReadFloat32(GgufTensor tensor, Span<float> destination, long first = 0)
    {
        var layout = Check(tensor, destination.Length, first);
        var source = Pointer(tensor) + first / layout.Elements * layout.Bytes;
        while (destination.Length > 0)
        {
            var count = Math.Min(destination.Length, Piece);
            var bytes = count / layout.Elements * layout.Bytes;
            GgufDecoder.Decode((GgufType)tensor.Type, new ReadOnlySpan<byte>(source, bytes), destination[..count]);
            source += bytes;
            destination = destination[count..];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _memory.ReleasePointer();
            _memory.Dispose();
        }
    }

    /// <summary>The first byte of a tensor's data; valid until the file is disposed.</summary>
    public byte* Pointer(GgufTensor tensor)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _start + tensor.Offset;
    }

    /// <summary>The view stays valid when the handle of the file is closed.</summary>
    private static SafeMemoryMappedViewHandle Map(string path, long length)
    {
        using var file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        return file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read).SafeMemoryMappedViewHandle;
    }

    private static InvalidDataException Refuse(string path, string problem) => new($"\"{path}\" is not a whole GGUF file: {problem}. Fetch it again.");

    private GgufTypes.Layout Check(GgufTensor tensor, int count, long first)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!Tensors.TryGetValue(tensor.Name, out var own) || !ReferenceEquals(own, tensor))
        {
            throw new ArgumentException($"\"{tensor.Name}\" is not a tensor of \"{Path}\".", nameof(tensor));
        }

        if (!tensor.HoldsWeights)
        {
            throw new NotSupportedException($"The tensor \"{tensor.Name}\" of \"{Path}\" is of type {tensor.TypeName}; weights are read from {GgufTypes.Readable}. Fetch or convert another form of the model.");
        }

        var layout = GgufTypes.Of((GgufType)tensor.Type);
        return first >= 0 && first <= tensor.Elements - count && first % layout.Elements == 0 && count % layout.Elements == 0
            ? layout
            : throw new ArgumentException($"The tensor \"{tensor.Name}\" has {tensor.Elements} values in blocks of {layout.Elements}; {count} from {first} on are asked for.", nameof(first));
    }
}
