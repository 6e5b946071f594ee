using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Tests.Linear;

/// <summary>The manifest's account of bytes against what is read, not against a formula like its own.</summary>
public sealed unsafe class WeightBytesTests
{
    public static TheoryData<int, int, int, int> Matrices => new()
    {
        // outputs, inputs, group, bits
        { 200, 96, 32, 8 },
        { 70, 100, 64, 8 },
        { 200, 96, 32, 6 },
        { 70, 100, 64, 6 },
        { 200, 96, 32, 5 },
        { 70, 100, 64, 5 },
        { 200, 96, 32, 4 },
        { 70, 100, 64, 4 },
    };

    [Theory]
    [MemberData(nameof(Matrices))]
    public void The_kernels_read_every_byte_of_a_matrix_once_and_nothing_beside(int outputs, int inputs, int group, int bits)
    {
        const int Window = 64;
        var matrix = PlainFactored.Random(outputs, inputs, group, new Random(bits), bits: bits).Pack();
        var account = ManifestLayout.Form(1, new ManifestSite("matrix", outputs, inputs, false, InputSite.Attention), new GroupForm(bits, group), 0, null).Bytes;
        using var team = new ComputeTeam(1);
        foreach (var tokens in new[] { 1, 2, 4 })
        {
            var x = new float[tokens * inputs];
            HardRows.Fill(x, 0, new Random(tokens));
            var input = new QuantisedRows();
            fixed (float* values = x)
            {
                input.Fill(values, tokens, inputs, group, team);
            }

            var reads = RecordingLanes.Record(() =>
            {
                var results = stackalloc float[tokens * Window];
                var rows = BlockLayout.Blocks(outputs) * BlockLayout.Rows;
                for (var row = 0; row < rows; row += Window)
                {
                    var count = Math.Min(Window, rows - row);
                    new Span<float>(results, tokens * count).Clear();
                    GroupDotForms<RecordingLanes, Vector128<short>, Vector128<int>, Vector128<float>>.Add(matrix.Blocks, row, count, input.Rows, 0, tokens, results);
                }
            });
            Assert.All(reads.Values, times => Assert.Equal(1, times));
            Assert.Equal(account, reads.Count);
        }
    }

    [Theory]
    [InlineData(8, 8)]
    [InlineData(6, 8)]
    [InlineData(5, 6)]
    [InlineData(4, 5)]
    [InlineData(8, 4)]
    public void Every_byte_that_the_manifest_counts_bears_on_the_result(int baseBits, int factorBits)
    {
        const int Outputs = 32, Inputs = 64, Rank = 32, Group = 32;
        var random = new Random(baseBits * 10 + factorBits);
        var parts = new[] { Part(Outputs, Inputs, baseBits), Part(Rank, Inputs, factorBits), Part(Outputs, Rank, factorBits) };
        var layer = new FactoredLinear(Inputs, Outputs, parts[0].Matrix, parts[1].Matrix, parts[2].Matrix, null);
        var x = Enumerable.Range(0, Inputs).Select(_ => (random.NextSingle() / 2 + 0.5f) * (random.Next(2) * 2 - 1)).ToArray();
        using var team = new ComputeTeam(1);
        var expected = FactoredLinearTests.Apply(layer, x, 1, team);
        var bytes = 0L;
        foreach (var memory in parts.SelectMany(part => new[] { part.Weights, part.Scales }))
        {
            for (var at = 0; at < memory.Length; at++)
            {
                // One bit at a time: changes of two weights might cancel, and a small change might be rounded away.
                bytes += Enumerable.Range(0, 8).Any(bit => Matters(ref memory[at], (byte)(1 << bit))) ? 1 : 0;
            }
        }

        var form = ManifestLayout.Form(1, new ManifestSite("matrix", Outputs, Inputs, false, InputSite.Attention), new GroupForm(baseBits, Group), Rank, new GroupForm(factorBits, Group));
        Assert.Equal(form.Bytes, bytes);
        Assert.Equal(form.Bytes, layer.WeightBytes);

        bool Matters(ref byte place, byte bit)
        {
            place ^= bit;
            var same = FactoredLinearTests.Apply(layer, x, 1, team).SequenceEqual(expected);
            place ^= bit;
            return !same;
        }

        (BlockMatrix Matrix, byte[] Weights, byte[] Scales) Part(int outputs, int inputs, int bits)
        {
            var plain = PlainFactored.Random(outputs, inputs, Group, random, bits: bits);
            plain.Scales.AsSpan().Fill(BFloat16.FromSingle(0.001f)); // a scale near zero would hide its weights
            var weights = GC.AllocateArray<byte>((int)BlockLayout.WeightBytes(outputs, inputs, Group, bits), pinned: true);
            var scales = GC.AllocateArray<byte>((int)BlockLayout.ScaleCount(outputs, inputs, Group) * sizeof(ushort), pinned: true);
            BlockLayout.Pack(plain.Weights, outputs, inputs, Group, bits, MemoryMarshal.Cast<byte, sbyte>(weights.AsSpan()));
            BlockLayout.PackScales(plain.Scales, outputs, plain.Groups, MemoryMarshal.Cast<byte, ushort>(scales.AsSpan()));
            var matrix = new BlockMatrix(
                outputs, inputs, Group, bits, (sbyte*)Marshal.UnsafeAddrOfPinnedArrayElement(weights, 0), (ushort*)Marshal.UnsafeAddrOfPinnedArrayElement(scales, 0));
            return (matrix, weights, scales);
        }
    }
}
