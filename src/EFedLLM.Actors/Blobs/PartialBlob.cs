using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using EFedLLM.Actors.Protocol;
using Microsoft.Win32.SafeHandles;

namespace EFedLLM.Actors.Blobs;

/// <summary>
/// A file on its way: its pieces where they belong, and beside it a note for each that is there (<c>.pieces</c>): who gave it and with
/// which SHA-256. The notes are read back after a kill, and those count whose pieces still have that hash; so neither has to be flushed.
/// The file grows as pieces come: a claimed length takes nothing. For one user at a time; pieces may be written from several threads.
/// </summary>
internal sealed class PartialBlob : IDisposable
{
    private const string NotesSuffix = ".pieces";
    private const int NoteBytes = sizeof(int) + 16 + SHA256.HashSizeInBytes;
    private const int HeaderBytes = 8 + sizeof(long) + sizeof(long);
    private const int BufferBytes = 128 << 10;
    private const ulong Mark = 0x31_45_43_45_49_50_45_46;

    private readonly SafeFileHandle _file;
    private readonly SafeFileHandle _notes;
    private readonly PieceNote?[] _pieces;
    private long _notesEnd;

    private PartialBlob(string folder, string sha256, long bytes, int pieceBytes)
    {
        (Path, Sha256, Bytes, PieceBytes) = (System.IO.Path.Combine(folder, sha256), sha256, bytes, pieceBytes);
        _pieces = new PieceNote?[checked((int)((bytes + pieceBytes - 1) / pieceBytes))];
        _file = File.OpenHandle(Path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        try
        {
            _notes = File.OpenHandle(Path + NotesSuffix, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Where it lies.</summary>
    public string Path { get; }

    /// <summary>The name it will have.</summary>
    public string Sha256 { get; }

    /// <summary>Its length when it is whole.</summary>
    public long Bytes { get; }

    /// <summary>Bytes of a piece; the last may be shorter.</summary>
    public int PieceBytes { get; }

    /// <summary>The pieces in order: what is known of each, or null for one that is not there.</summary>
    public IReadOnlyList<PieceNote?> Pieces => _pieces;

    /// <summary>Bytes of the pieces that are there.</summary>
    public long DoneBytes => Enumerable.Range(0, _pieces.Length).Where(piece => _pieces[piece] is not null).Sum(piece => (long)LengthOf(piece));

    /// <summary>Opens a part, with the pieces that are there from before and still have their hashes.</summary>
    /// <param name="folder">Where parts lie.</param>
    /// <param name="sha256">The file's name.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="pieceBytes">Bytes of a piece. Pieces of another size are thrown away.</param>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static PartialBlob Open(string folder, string sha256, long bytes, int pieceBytes)
    {
        var part = new PartialBlob(folder, sha256, bytes, pieceBytes);
        try
        {
            part.ReadNotes();
            return part;
        }
        catch
        {
            part.Dispose();
            throw;
        }
    }

    /// <summary>Removes a part and its notes.</summary>
    public static void Remove(string folder, string sha256)
    {
        var path = System.IO.Path.Combine(folder, sha256);
        File.Delete(path);
        File.Delete(path + NotesSuffix);
    }

    /// <summary>Where a piece begins.</summary>
    public long OffsetOf(int piece) => (long)piece * PieceBytes;

    /// <summary>Bytes of a piece.</summary>
    public int LengthOf(int piece) => (int)Math.Min(PieceBytes, Bytes - OffsetOf(piece));

    /// <summary>Writes bytes of a piece that is not there yet.</summary>
    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellation) => RandomAccess.WriteAsync(_file, bytes, offset, cancellation);

    /// <summary>A piece is there. One thread at a time.</summary>
    public void Note(int piece, PieceNote note)
    {
        Span<byte> record = stackalloc byte[NoteBytes];
        BinaryPrimitives.WriteInt32LittleEndian(record, piece);
        Convert.FromHexString(note.From.Value, record[4..20], out _, out _);
        Convert.FromHexString(note.Digest, record[20..], out _, out _);
        RandomAccess.Write(_notes, record, _notesEnd);
        _notesEnd += NoteBytes;
        _pieces[piece] = note;
    }

    /// <summary>A piece is not there any more: it is to come from somebody else. One thread at a time.</summary>
    public void Drop(int piece) => _pieces[piece] = null;

    /// <summary>The SHA-256 of all of it, lower-case hexadecimal.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public string Hash(CancellationToken cancellation) => Hash(0, Bytes, cancellation);

    /// <summary>The pieces that do not have the hash any more with which they came: this machine's disk has changed them.</summary>
    public ImmutableArray<int> Damaged(CancellationToken cancellation)
        => [.. Enumerable.Range(0, _pieces.Length).Where(piece => _pieces[piece] is { } note && Hash(OffsetOf(piece), LengthOf(piece), cancellation) != note.Digest)];

    /// <summary>Removes the notes. For a part that is a whole file now.</summary>
    public void Forget() => File.Delete(Path + NotesSuffix);

    /// <inheritdoc/>
    public void Dispose()
    {
        _file.Dispose();
        _notes.Dispose();
    }

    private string Hash(long offset, long length, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (length > 0)
            {
                cancellation.ThrowIfCancellationRequested();
                var read = RandomAccess.Read(_file, buffer.AsSpan(0, (int)Math.Min(BufferBytes, length)), offset);
                if (read == 0)
                {
                    break;
                }

                hash.AppendData(buffer, 0, read);
                (offset, length) = (offset + read, length - read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Header: mark, length, bytes of a piece. Then notes: index, giver, hash; of several for one piece the last counts. What does not fit is none.</summary>
    private void ReadNotes()
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        var length = RandomAccess.GetLength(_notes);
        if (RandomAccess.Read(_notes, header, 0) == HeaderBytes
            && BinaryPrimitives.ReadUInt64LittleEndian(header) == Mark
            && BinaryPrimitives.ReadInt64LittleEndian(header[8..]) == Bytes
            && BinaryPrimitives.ReadInt64LittleEndian(header[16..]) == PieceBytes)
        {
            var present = RandomAccess.GetLength(_file);
            Span<byte> record = stackalloc byte[NoteBytes];
            for (var at = (long)HeaderBytes; at + NoteBytes <= length && RandomAccess.Read(_notes, record, at) == NoteBytes; at += NoteBytes)
            {
                var piece = BinaryPrimitives.ReadInt32LittleEndian(record);
                if (piece >= 0 && piece < _pieces.Length && OffsetOf(piece) + LengthOf(piece) <= present)
                {
                    _pieces[piece] = new PieceNote(new DeviceId(Convert.ToHexStringLower(record[4..20])), Convert.ToHexStringLower(record[20..]));
                }
            }

            foreach (var piece in Damaged(CancellationToken.None))
            {
                _pieces[piece] = null;
            }
        }

        // Written anew, so that notes that no longer count do not pile up.
        RandomAccess.SetLength(_notes, 0);
        BinaryPrimitives.WriteUInt64LittleEndian(header, Mark);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], Bytes);
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], PieceBytes);
        RandomAccess.Write(_notes, header, 0);
        _notesEnd = HeaderBytes;
        for (var piece = 0; piece < _pieces.Length; piece++)
        {
            if (_pieces[piece] is { } note)
            {
                Note(piece, note);
            }
        }

        if (_pieces.All(piece => piece is null))
        {
            RandomAccess.SetLength(_file, 0);
        }
    }
}
