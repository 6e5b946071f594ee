using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// Memory that holds a file's bytes for computing. A token reads every weight once, so of memory in small pages it asks for
/// an address translation every 4 KiB; where the system has pages of 2 MiB, the memory is made of these.
/// </summary>
internal sealed unsafe partial class WeightMemory : SafeBuffer
{
    private const int HugePage = 2 << 20;
    private const int ReadLength = 64 << 20;

    private WeightMemory(long length)
        : base(ownsHandle: true)
    {
        // The last page is a small one where it would not be filled: a shard of many small files must not grow by its pages.
        SetHandle((nint)NativeMemory.AlignedAlloc((nuint)length, (nuint)(length >= HugePage ? HugePage : SafetensorsWriter.Alignment)));
        Initialize((ulong)length);
        var whole = length / HugePage * HugePage;
        if (whole > 0 && OperatingSystem.IsLinux())
        {
            // Advice: a system without such pages answers with an error and goes on with small ones.
            _ = MemoryAdvise(handle, (nuint)whole, 14);
        }
    }

    /// <summary>
    /// Whether a file is to be read into memory beside what is held already: what is left to others is a quarter of what the process
    /// may have. A file that is not stays mapped, and its pages come and go as the system sees fit.
    /// </summary>
    public static bool Fits(long held, long length, long available) => held + length <= available - available / 4;

    /// <summary>Memory of the same kind that holds nothing yet.</summary>
    /// <param name="length">Bytes, at least 1.</param>
    /// <exception cref="OutOfMemoryException">There is not so much memory.</exception>
    public static WeightMemory Allocate(long length) => new(length);

    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="length">Its length, at least 1.</param>
    /// <exception cref="EndOfStreamException">It is shorter by now.</exception>
    /// <exception cref="OutOfMemoryException">There is not so much memory.</exception>
    public static WeightMemory Read(string path, long length)
    {
        var memory = new WeightMemory(length);
        try
        {
            using var file = File.OpenHandle(path, options: FileOptions.SequentialScan);
            return memory.TryRead(file, length) ? memory : throw new EndOfStreamException($"\"{path}\" became shorter while it was read. Try again.");
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>Reads a file from its beginning.</summary>
    /// <param name="file">The file.</param>
    /// <param name="length">How much of it, at most as much as there is memory.</param>
    /// <returns>False where the file is shorter.</returns>
    /// <exception cref="IOException">It cannot be read.</exception>
    public bool TryRead(SafeFileHandle file, long length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)length, ByteLength);
        for (long done = 0; done < length;)
        {
            var count = RandomAccess.Read(file, new Span<byte>((byte*)handle + done, (int)Math.Min(ReadLength, length - done)), done);
            if (count == 0)
            {
                return false;
            }

            done += count;
        }

        return true;
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(nint address, nuint length, int advice);
}
