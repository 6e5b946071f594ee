namespace EFedLLM.Compression;

/// <summary>
/// A folder in the making: it lies beside its target, under a hidden name of its own, and becomes the target in one
/// rename when it is complete. A lock file beside it tells others that its maker lives; what a crash has left is
/// removed when the same target is next made.
/// </summary>
internal sealed class PartialFolder : IDisposable
{
    private const string LockSuffix = ".lock";
    private const int Attempts = 10;

    private readonly string _target;
    private readonly FileStream _lock;

    private PartialFolder(string target, string path, FileStream @lock) => (_target, Path, _lock) = (target, path, @lock);

    /// <summary>Where to write; empty at first.</summary>
    public string Path { get; }

    /// <summary>Creates an empty folder beside a target, after removing what crashes left there.</summary>
    /// <param name="target">A full path without a separator at its end.</param>
    public static PartialFolder Create(string target)
    {
        var parent = System.IO.Path.GetDirectoryName(target)
            ?? throw new IOException($"\"{target}\" is the root of a file system: name a folder inside it.");
        Directory.CreateDirectory(parent);
        RemoveLeftovers(parent, Prefix(target));
        for (var attempt = 1; ; attempt++)
        {
            var path = System.IO.Path.Combine(parent, Prefix(target) + Guid.NewGuid().ToString("N"));
            try
            {
                var own = Lock(path);
                Directory.CreateDirectory(path);
                return new PartialFolder(target, path, own);
            }
            catch (IOException) when (attempt < Attempts)
            {
                // Somebody removing leftovers may have seen the lock file before it was locked.
            }
        }
    }

    /// <summary>Removes a folder so that at no moment a part of it stands at its place.</summary>
    public static void Discard(string target)
    {
        using var aside = Create(target);
        try
        {
            Directory.Move(target, System.IO.Path.Combine(aside.Path, "discarded"));
        }
        catch (DirectoryNotFoundException)
        {
            // Another process discarded it first.
        }
    }

    /// <summary>Makes this folder the target, in one step.</summary>
    /// <returns>False when something else is there: another process was faster.</returns>
    public bool TryCommit()
    {
        try
        {
            if (Directory.Exists(_target))
            {
                // Succeeds only while it is empty.
                Directory.Delete(_target);
            }

            Directory.Move(Path, _target);
            return true;
        }
        catch (IOException) when (Directory.Exists(_target))
        {
            return false;
        }
    }

    /// <summary>Removes the folder, unless it has become the target.</summary>
    public void Dispose()
    {
        try
        {
            if (Directory.Exists(Path))
            {
                Directory.Delete(Path, recursive: true);
            }
        }
        finally
        {
            _lock.Dispose();
        }
    }

    private static string Prefix(string target) => $".{System.IO.Path.GetFileName(target)}.partial-";

    private static void RemoveLeftovers(string parent, string prefix)
    {
        var entries = Directory.EnumerateFileSystemEntries(parent)
            .Where(entry => System.IO.Path.GetFileName(entry).StartsWith(prefix, StringComparison.Ordinal))
            .Select(entry => entry.EndsWith(LockSuffix, StringComparison.Ordinal) ? entry[..^LockSuffix.Length] : entry)
            .Distinct()
            .ToList();
        foreach (var path in entries)
        {
            // Whoever makes a folder holds its lock from before the folder is there until after it is gone.
            using var taken = TryLock(path);
            if (taken is not null && Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
        }
    }

    private static FileStream? TryLock(string path)
    {
        try
        {
            return Lock(path);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static FileStream Lock(string path) =>
        new(path + LockSuffix, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
}
