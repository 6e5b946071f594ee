using System.Numerics;

namespace EFedLLM.Actors.Trust;

/// <summary>
/// One digest for many, in the shape of RFC 6962 (section 2.1): leaves and inner nodes are hashed with different first bytes, so that
/// none passes for the other, and the left branch has as many leaves as the largest power of two below the whole.
/// </summary>
public static class Merkle
{
    /// <summary>Most leaves of a tree.</summary>
    public const int MostLeaves = 1 << 20;

    private const byte LeafMark = 0;
    private const byte NodeMark = 1;

    /// <summary>The root over <paramref name="leaves"/>; that of no leaves is the hash of nothing. Allocates nothing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are more than <see cref="MostLeaves"/>.</exception>
    public static Digest Root(ReadOnlySpan<Digest> leaves)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(leaves.Length, MostLeaves, nameof(leaves));
        return leaves.IsEmpty ? Digest.Of([]) : Node(leaves);
    }

    /// <summary>What proves that one leaf is under the root: the digests beside its way there, from the leaf up.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such leaf, or there are more than <see cref="MostLeaves"/>.</exception>
    public static Digest[] Proof(ReadOnlySpan<Digest> leaves, int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(leaves.Length, MostLeaves, nameof(leaves));
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, leaves.Length);
        var proof = new List<Digest>();
        while (leaves.Length > 1)
        {
            var left = Left(leaves.Length);
            if (index < left)
            {
                proof.Add(Node(leaves[left..]));
                leaves = leaves[..left];
            }
            else
            {
                proof.Add(Node(leaves[..left]));
                leaves = leaves[left..];
                index -= left;
            }
        }

        proof.Reverse();
        return [.. proof];
    }

    /// <summary>Whether <paramref name="proof"/> shows that <paramref name="leaf"/> is the one at <paramref name="index"/> of <paramref name="count"/> under <paramref name="root"/>. Whatever it is given, it answers rather than throws.</summary>
    public static bool Holds(Digest leaf, int index, int count, ReadOnlySpan<Digest> proof, Digest root)
    {
        if (index < 0 || index >= count || count > MostLeaves || proof.Length > BitOperations.Log2(MostLeaves))
        {
            return false;
        }

        // The way down tells at which side of each node the leaf is; the digests come from the leaf up.
        Span<bool> isRight = stackalloc bool[BitOperations.Log2(MostLeaves)];
        var depth = 0;
        while (count > 1)
        {
            var left = Left(count);
            isRight[depth] = index >= left;
            (index, count) = isRight[depth] ? (index - left, count - left) : (index, left);
            depth++;
        }

        if (depth != proof.Length)
        {
            return false;
        }

        var node = Leaf(leaf);
        for (var i = 0; i < proof.Length; i++)
        {
            node = isRight[depth - 1 - i] ? Join(proof[i], node) : Join(node, proof[i]);
        }

        return node == root;
    }

    private static int Left(int count) => 1 << BitOperations.Log2((uint)(count - 1));

    private static Digest Node(ReadOnlySpan<Digest> leaves)
    {
        if (leaves.Length == 1)
        {
            return Leaf(leaves[0]);
        }

        var left = Left(leaves.Length);
        return Join(Node(leaves[..left]), Node(leaves[left..]));
    }

    private static Digest Leaf(Digest digest)
    {
        Span<byte> bytes = stackalloc byte[1 + Digest.Bytes];
        bytes[0] = LeafMark;
        digest.Write(bytes[1..]);
        return Digest.Of(bytes);
    }

    private static Digest Join(Digest left, Digest right)
    {
        Span<byte> bytes = stackalloc byte[1 + (2 * Digest.Bytes)];
        bytes[0] = NodeMark;
        left.Write(bytes[1..]);
        right.Write(bytes[(1 + Digest.Bytes)..]);
        return Digest.Of(bytes);
    }
}
