using System.Runtime.InteropServices;

namespace EFedLLM.Actors.Identity;

/// <summary>Files that only their owner may read.</summary>
internal static partial class SecretFile
{
    private const int ReadOnlyFlag = 0;

    /// <summary>Creates a file whole or not at all.</summary>
    /// <param name="file">The file; its folder is made when it is missing.</param>
    /// <param name="content">What it holds.</param>
    /// <returns>False when the file was there already, perhaps since a moment ago.</returns>
    public static bool TryCreate(string file, ReadOnlySpan<byte> content)
    {
        var path = Path.GetFullPath(file);
        var part = Write(path, content);
        try
        {
            Publish(part, path);
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            return false;
        }
        finally
        {
            File.Delete(part);
        }
    }

    /// <summary>Writes a file, in place of the one before: whoever reads it, even after a crash, finds one of the two whole.</summary>
    /// <param name="file">The file; its folder is made when it is missing.</param>
    /// <param name="content">What it holds.</param>
    public static void Replace(string file, ReadOnlySpan<byte> content)
    {
        var path = Path.GetFullPath(file);
        var part = Write(path, content);
        try
        {
            File.Move(part, path, overwrite: true);
            FlushFolder(Path.GetDirectoryName(path)!);
        }
        catch
        {
            File.Delete(part);
            throw;
        }
    }

    private static string Write(string path, ReadOnlySpan<byte> content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var part = $"{path}.{Guid.NewGuid():n}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            using var stream = new FileStream(part, options);
            stream.Write(content);
            stream.Flush(flushToDisk: true);
            return part;
        }
        catch
        {
            File.Delete(part);
            throw;
        }
    }

    private static void Publish(string part, string path)
    {
        // On Unix, File.Move without overwriting looks first and renames then: of two at once the later one wins silently. A hard link is
        // made or refused in one step; file systems without hard links fall back to the move.
        if (!OperatingSystem.IsWindows())
        {
            if (Link(part, path) == 0)
            {
                return;
            }

            if (File.Exists(path))
            {
                throw new IOException($"{path} is there already.");
            }
        }

        File.Move(part, path, overwrite: false);
    }

    /// <summary>Brings a renaming to disk, so that a power cut does not undo it; where the system has no such thing, it is the system's to keep.</summary>
    private static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var descriptor = OpenFile(folder, ReadOnlyFlag);
        if (descriptor >= 0)
        {
            _ = Flush(descriptor);
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Flush(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string added);
}
