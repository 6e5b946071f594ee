using System.Diagnostics.CodeAnalysis;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// A node's proofs, one file each, named by its SHA-256 and read back by it: a file that was changed is none. When there are too many, or
/// they take too much, the oldest go first. Thread-safe; one process at a time.
/// </summary>
public sealed class ProofStore
{
    /// <summary>Most proofs unless told otherwise.</summary>
    public const int DefaultFiles = 1024;

    /// <summary>Most bytes of all proofs together unless told otherwise.</summary>
    public const long DefaultBytes = 1L << 30;

    /// <summary>Fewest digits that name a proof.</summary>
    public const int FewestDigits = 8;

    // Each holds on to its bytes until they are written.
    private const int MostWaiting = 8;

    private readonly Lock _gate = new();
    private readonly LinkedList<(string Name, long Bytes)> _files = new();
    private readonly string _folder;
    private readonly int _mostFiles;
    private readonly long _mostBytes;
    private readonly Action<Exception> _failed;
    private Task _written = Task.CompletedTask;
    private long _bytes;
    private int _waiting;

    private ProofStore(string folder, int mostFiles, long mostBytes, Action<Exception> failed)
        => (_folder, _mostFiles, _mostBytes, _failed) = (folder, mostFiles, mostBytes, failed);

    /// <summary>Completes when everything that was handed over until now is written, or could not be.</summary>
    public Task Written
    {
        get
        {
            lock (_gate)
            {
                return _written;
            }
        }
    }

    /// <summary>Opens the store in a folder, which is made when it is missing. What a crash left half-written is removed.</summary>
    /// <param name="folder">The folder; nothing else is in it.</param>
    /// <param name="mostFiles">Most proofs.</param>
    /// <param name="mostBytes">Most bytes of all together.</param>
    /// <param name="failed">Told, on any thread, why a proof that was handed over is not kept.</param>
    /// <exception cref="IOException">The folder cannot be read or written.</exception>
    public static ProofStore Open(string folder, int mostFiles, long mostBytes, Action<Exception> failed)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(failed);
        ArgumentOutOfRangeException.ThrowIfLessThan(mostFiles, 1);
        var store = new ProofStore(Path.GetFullPath(folder), mostFiles, mostBytes, failed);
        Directory.CreateDirectory(store._folder);
        foreach (var file in new DirectoryInfo(store._folder).GetFiles().OrderBy(file => file.LastWriteTimeUtc).ThenBy(file => file.Name, StringComparer.Ordinal))
        {
            if (TryParse(file.Name) is null)
            {
                file.Delete();
                continue;
            }

            store._files.AddLast((file.Name, file.Length));
            store._bytes += file.Length;
        }

        store.MakeRoom(0);
        return store;
    }

    /// <summary>A digest's 64 lower-case hexadecimal digits as the digest; null where the text is something else.</summary>
    public static Digest? TryParse(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length == 2 * Digest.Bytes && name.All(char.IsAsciiHexDigitLower) ? Digest.Read(Convert.FromHexString(name)) : null;
    }

    /// <summary>Keeps a proof. On return it is on disk whole.</summary>
    /// <param name="bytes">Its stored form.</param>
    /// <returns>Its name.</returns>
    /// <exception cref="InvalidDataException">It is larger than all that may be kept.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public Digest Keep(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Math.Min(_mostBytes, WorkProof.MostBytes))
        {
            throw new InvalidDataException($"A proof of {bytes.Length} bytes is more than the {Math.Min(_mostBytes, WorkProof.MostBytes)} that are kept.");
        }

        var hash = Digest.Of(bytes);
        var name = hash.ToString();
        lock (_gate)
        {
            if (!_files.Any(file => file.Name == name))
            {
                MakeRoom(bytes.Length, 1);
                SecretFile.Replace(Path.Combine(_folder, name), bytes);
                _files.AddLast((name, bytes.Length));
                _bytes += bytes.Length;
            }
        }

        return hash;
    }

    /// <summary>Keeps a proof, soon: whoever hands it over does not wait for the disk.</summary>
    /// <param name="bytes">Its stored form; not written to any more.</param>
    public void KeepSoon(ReadOnlyMemory<byte> bytes)
    {
        lock (_gate)
        {
            if (_waiting < MostWaiting)
            {
                _waiting++;
                _written = KeepAfterAsync(_written, bytes);
                return;
            }
        }

        _failed(new IOException($"{MostWaiting} proofs wait to be written already."));
    }

    /// <summary>The proofs whose names begin with these hexadecimal digits.</summary>
    public IReadOnlyList<Digest> Find(string digits)
    {
        ArgumentNullException.ThrowIfNull(digits);
        lock (_gate)
        {
            return [.. _files.Where(file => file.Name.StartsWith(digits, StringComparison.OrdinalIgnoreCase)).Select(file => TryParse(file.Name)!.Value)];
        }
    }

    /// <summary>The stored form of a proof.</summary>
    /// <param name="proof">Its name.</param>
    /// <param name="bytes">What has just this hash.</param>
    /// <returns>False where it is not here, or was changed, or cannot be read.</returns>
    public bool TryRead(Digest proof, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        try
        {
            using var stream = new FileStream(Path.Combine(_folder, proof.ToString()), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            if (stream.Length > WorkProof.MostBytes)
            {
                return false;
            }

            var read = new byte[stream.Length];
            stream.ReadExactly(read);
            bytes = Digest.Of(read) == proof ? read : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It was removed meanwhile, or never was.
        }

        return bytes is not null;
    }

    private async Task KeepAfterAsync(Task before, ReadOnlyMemory<byte> bytes)
    {
        await before.ConfigureAwait(false);
        try
        {
            await Task.Run(() => Keep(bytes.Span)).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            _failed(error);
        }
        finally
        {
            lock (_gate)
            {
                _waiting--;
            }
        }
    }

    private void MakeRoom(long bytes, int files = 0)
    {
        while (_files.First is { } oldest && (_files.Count + files > _mostFiles || _bytes + bytes > _mostBytes))
        {
            File.Delete(Path.Combine(_folder, oldest.Value.Name));
            _bytes -= oldest.Value.Bytes;
            _files.RemoveFirst();
        }
    }
}
