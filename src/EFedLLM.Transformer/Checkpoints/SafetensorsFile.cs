using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// A safetensors file, mapped into memory read-only or read into memory. Mapping it reads and checks the header alone; a
/// tensor's pages are read when they are touched. Reading is thread-safe; disposing invalidates every span and pointer
/// taken from it.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly byte* _start;
    private readonly bool _ownsMemory;
    private bool _disposed;

    /// <summary>Takes over the memory where it is to own it, unless it throws.</summary>
    private SafetensorsFile(string path, SafeBuffer memory, long length, bool ownsMemory = true)
    {
        (Path, Memory, Length, _ownsMemory) = (path, memory, length, ownsMemory);
        byte* start = null;
        memory.AcquirePointer(ref start);
        _start = start;
        try
        {
            var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(_start, sizeof(ulong)));
            if (headerLength > SafetensorsHeader.MaximumLength || (long)headerLength > length - sizeof(ulong))
            {
                throw new InvalidDataException($"its header claims {headerLength} bytes, but the file has {length} and the format allows {SafetensorsHeader.MaximumLength}");
            }

            var dataStart = sizeof(ulong) + (long)headerLength;
            Ordered = [.. SafetensorsHeader.Read(new ReadOnlySpan<byte>(_start + sizeof(ulong), (int)headerLength), dataStart, length - dataStart)];
            Tensors = Ordered.ToFrozenDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        }
        catch
        {
            memory.ReleasePointer();
            throw;
        }
    }

    /// <summary>Where the file lies.</summary>
    public string Path { get; }

    /// <summary>Bytes of the whole file.</summary>
    public long Length { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsTensor> Tensors { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public ImmutableArray<SafetensorsTensor> Ordered { get; }

    /// <summary>The bytes: who has added a reference to them may use pointers until it is released, whatever is disposed of meanwhile.</summary>
    internal SafeBuffer Memory { get; }

    /// <summary>Maps a file and checks its header against its length.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not a safetensors file, or not all of one; the message says why and what to do.</exception>
    public static SafetensorsFile Open(string path) => Open(path, Map);

    /// <summary>Reads a file into memory, for weights that are used again and again, and checks its header against its length.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not a safetensors file, or not all of one; the message says why and what to do.</exception>
    /// <exception cref="OutOfMemoryException">There is not so much memory.</exception>
    internal static SafetensorsFile Read(string path) => Open(path, WeightMemory.Read);

    /// <summary>Takes a file that lies in memory which stays the caller's, and checks its header against its length.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="memory">Its bytes, and perhaps more behind them.</param>
    /// <param name="length">Its length, at least 8.</param>
    /// <exception cref="InvalidDataException">It is not a safetensors file, or not all of one; the message says why and what to do.</exception>
    internal static SafetensorsFile Over(string path, SafeBuffer memory, long length)
    {
        try
        {
            return new SafetensorsFile(path, memory, length, ownsMemory: false);
        }
        catch (InvalidDataException error)
        {
            throw Refuse(path, error.Message);
        }
    }

    /// <summary>The first byte of a tensor's data; valid until the file is disposed.</summary>
    /// <exception cref="InvalidDataException">The file has no tensor of that name.</exception>
    public byte* Pointer(string name) => Pointer(Find(name));

    /// <summary>The first byte of the data of one of this file's tensors; valid until the file is disposed.</summary>
    public byte* Pointer(SafetensorsTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!Tensors.TryGetValue(tensor.Name, out var own) || !ReferenceEquals(own, tensor))
        {
            throw new ArgumentException($"\"{tensor.Name}\" is not a tensor of \"{Path}\".", nameof(tensor));
        }

        return _start + tensor.Offset;
    }

    /// <summary>A tensor's data as it lies in the file; valid until the file is disposed.</summary>
    /// <exception cref="InvalidDataException">The file has no tensor of that name, or the tensor has 2 GiB and more: use <see cref="Pointer(string)"/>.</exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        var tensor = Find(name);
        return tensor.Bytes <= int.MaxValue
            ? new ReadOnlySpan<byte>(Pointer(tensor), (int)tensor.Bytes)
            : throw new InvalidDataException($"The tensor \"{name}\" of \"{Path}\" has {tensor.Bytes} bytes: too many to be read in one piece.");
    }

    /// <summary>Reads part of a tensor of type F32, F16 or BF16 as float32, which is exact.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">Receives as many elements as it has room for.</param>
    /// <param name="first">Index of the first element to read, in row-major order.</param>
    /// <exception cref="InvalidDataException">The file has no tensor of that name, or its type is another one.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has fewer elements than asked for.</exception>
    public void ReadFloat32(string name, Span<float> destination, long first = 0)
    {
        var tensor = Find(name);
        if (first < 0 || first > tensor.Elements - destination.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(first), first, $"The tensor \"{name}\" has {tensor.Elements} elements, {destination.Length} are asked for.");
        }

        var source = Pointer(tensor) + first * SafetensorsTensor.SizeOf(tensor.Type);
        switch (tensor.Type)
        {
            case SafetensorsType.F32:
                MemoryMarshal.Cast<byte, float>(new ReadOnlySpan<byte>(source, checked(destination.Length * sizeof(float)))).CopyTo(destination);
                break;
            case SafetensorsType.F16:
                HalfPrecision.WidenFloat16((ushort*)source, destination);
                break;
            case SafetensorsType.BF16:
                HalfPrecision.WidenBFloat16((ushort*)source, destination);
                break;
            default:
                throw new InvalidDataException($"The tensor \"{name}\" of \"{Path}\" is of type {SafetensorsTensor.NameOf(tensor.Type)}; weights are read from F32, F16 and BF16. Convert the checkpoint.");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            Memory.ReleasePointer();
            if (_ownsMemory)
            {
                Memory.Dispose();
            }
        }
    }

    private static SafetensorsFile Open(string path, Func<string, long, SafeBuffer> take)
    {
        var info = new FileInfo(path);
        if (!info.Exists)
        {
            throw new FileNotFoundException($"\"{path}\" is not there.", path);
        }

        if (info.Length < sizeof(ulong))
        {
            throw Refuse(path, "it is shorter than the length that begins such a file");
        }

        var memory = take(path, info.Length);
        try
        {
            return new SafetensorsFile(path, memory, info.Length);
        }
        catch (Exception error)
        {
            memory.Dispose();
            if (error is InvalidDataException)
            {
                throw Refuse(path, error.Message);
            }

            throw;
        }
    }

    /// <summary>The view stays valid when the handle of the file is closed.</summary>
    private static SafeMemoryMappedViewHandle Map(string path, long length)
    {
        using var file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        return file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read).SafeMemoryMappedViewHandle;
    }

    private static InvalidDataException Refuse(string path, string problem) =>
        new($"\"{path}\" is not a whole safetensors file: {problem}. Fetch it again.");

    private SafetensorsTensor Find(string name) => Tensors.TryGetValue(name, out var tensor)
        ? tensor
        : throw new InvalidDataException($"\"{Path}\" has no tensor \"{name}\".");
}
