using System.Security.Cryptography;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class MerkleTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(300)]
    public void The_root_is_what_the_definition_says(int count)
        => Assert.Equal(Convert.ToHexStringLower(Defined(Leaves(count))), Merkle.Root(Leaves(count)).ToString());

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(16)]
    [InlineData(33)]
    public void Every_leaf_can_be_proven_and_nothing_else(int count)
    {
        var leaves = Leaves(count);
        var root = Merkle.Root(leaves);
        for (var index = 0; index < count; index++)
        {
            var proof = Merkle.Proof(leaves, index);
            Assert.True(Merkle.Holds(leaves[index], index, count, proof, root));
            Assert.False(Merkle.Holds(leaves[index] with { D = leaves[index].D ^ 1 }, index, count, proof, root));
            Assert.False(Merkle.Holds(leaves[index], index, count, proof, root with { A = root.A ^ 1 }));
            Assert.False(Merkle.Holds(leaves[index], index, count, [.. proof, root], root));
            for (var other = 0; other < count; other++)
            {
                Assert.Equal(other == index, Merkle.Holds(leaves[index], other, count, proof, root));
            }

            for (var part = 0; part < proof.Length; part++)
            {
                var damaged = proof.ToArray();
                damaged[part] = damaged[part] with { B = damaged[part].B ^ 1 };
                Assert.False(Merkle.Holds(leaves[index], index, count, damaged, root));
                Assert.False(Merkle.Holds(leaves[index], index, count, proof.AsSpan(1), root));
            }
        }
    }

    [Fact]
    public void An_inner_node_is_no_leaf()
    {
        var leaves = Leaves(4);
        Span<byte> pair = stackalloc byte[2 * Digest.Bytes];
        Assert.NotEqual(Merkle.Root(leaves), Merkle.Root([Merkle.Root(leaves.AsSpan(0, 2)), Merkle.Root(leaves.AsSpan(2, 2))]));
        leaves[0].Write(pair);
        leaves[1].Write(pair[Digest.Bytes..]);
        Assert.NotEqual(Digest.Of(pair), Merkle.Root(leaves.AsSpan(0, 2)));
    }

    [Theory]
    [InlineData(-1, 4, 2)]
    [InlineData(4, 4, 2)]
    [InlineData(0, 0, 0)]
    [InlineData(0, -5, 0)]
    [InlineData(0, int.MaxValue, 31)]
    [InlineData(0, 2, 500)]
    public void A_proof_of_nonsense_does_not_hold_and_does_not_throw(int index, int count, int length)
        => Assert.False(Merkle.Holds(Leaves(1)[0], index, count, new Digest[length], Leaves(2)[1]));

    [Fact]
    public void A_tree_has_a_bound()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Merkle.Root(new Digest[Merkle.MostLeaves + 1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Merkle.Proof(new Digest[Merkle.MostLeaves + 1], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Merkle.Proof(Leaves(3), 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => Merkle.Proof(Leaves(3), -1));
    }

    [Fact]
    public void Digests_of_positions_and_their_root_cost_no_allocation()
    {
        var (row, kept, leaves) = (new float[576], new Half[384], new Digest[UnitCut.Rows]);
        Digest All()
        {
            for (var i = 0; i < leaves.Length; i++)
            {
                leaves[i] = (i % 3) switch { 0 => PositionDigest.OfRow(row), 1 => PositionDigest.OfRow(kept), _ => PositionDigest.OfDraw(i, -0.5f) };
            }

            return PositionDigest.OfAnswer(PositionDigest.OfToken(1), Merkle.Root(leaves), leaves[0]);
        }

        All();
        var before = GC.GetAllocatedBytesForCurrentThread();
        All();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void What_is_hashed_is_little_endian()
    {
        Assert.Equal(Digest.Of([0x04, 0x03, 0x02, 0x01]), PositionDigest.OfToken(0x01020304));
        Assert.Equal(Digest.Of([0x00, 0x00, 0x80, 0x3F, 0x00, 0x00, 0x00, 0x80]), PositionDigest.OfRow((ReadOnlySpan<float>)[1, -0f]));
        Assert.Equal(Digest.Of([0x00, 0x3C, 0x00, 0x80, 0xFF, 0x7B]), PositionDigest.OfRow((ReadOnlySpan<Half>)[Half.One, Half.NegativeZero, Half.MaxValue]));
        Assert.Equal(Digest.Of([0x05, 0, 0, 0, 0x00, 0x00, 0x80, 0xBF]), PositionDigest.OfDraw(5, -1));
    }

    private static Digest[] Leaves(int count) => [.. Enumerable.Range(0, count).Select(i => Digest.Of(BitConverter.GetBytes(i)))];

    /// <summary>RFC 6962, section 2.1, word by word.</summary>
    private static byte[] Defined(ReadOnlySpan<Digest> leaves)
    {
        if (leaves.Length == 0)
        {
            return SHA256.HashData([]);
        }

        if (leaves.Length == 1)
        {
            return SHA256.HashData([0, .. Convert.FromHexString(leaves[0].ToString())]);
        }

        var k = 1;
        while (k * 2 < leaves.Length)
        {
            k *= 2;
        }

        return SHA256.HashData([1, .. Defined(leaves[..k]), .. Defined(leaves[k..])]);
    }
}
