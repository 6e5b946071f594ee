using System.Buffers.Binary;
using System.Text;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Identity;

/// <summary>
/// What is signed. The keys of this program sign nothing else, and so every signature is bound to one purpose, one cluster and one epoch:
/// none that was made for one of them ever counts for another.
/// </summary>
public sealed class Statement
{
    // It ends with a line's end, which no purpose has.
    private static readonly byte[] Prefix = Encoding.ASCII.GetBytes("efedllm statement 1\n");

    private readonly byte[] _bytes;

    /// <summary>A statement.</summary>
    /// <param name="purpose">What it is signed for.</param>
    /// <param name="cluster">The cluster in which it counts.</param>
    /// <param name="epoch">The epoch in which it counts: what that is says the purpose.</param>
    /// <param name="content">What is stated; of a length that follows from the purpose, or the last thing in it does.</param>
    public Statement(StatementPurpose purpose, ClusterId cluster, long epoch, ReadOnlySpan<byte> content)
    {
        _bytes = new byte[Prefix.Length + sizeof(int) + Digest.Bytes + sizeof(long) + content.Length];
        var rest = _bytes.AsSpan();
        Prefix.CopyTo(rest);
        rest = rest[Prefix.Length..];
        BinaryPrimitives.WriteInt32BigEndian(rest, (int)purpose);
        rest = rest[sizeof(int)..];
        cluster.Value.Write(rest);
        rest = rest[Digest.Bytes..];
        BinaryPrimitives.WriteInt64BigEndian(rest, epoch);
        content.CopyTo(rest[sizeof(long)..]);
    }

    /// <summary>What a key signs: a line that names the form, then purpose (4 bytes), cluster (32), epoch (8) and content, integers big-endian.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;
}
