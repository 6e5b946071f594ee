using System.Runtime.InteropServices;
using CsCheck;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Tests.Linear;

public sealed class BlockLayoutTests
{
    [Fact]
    public void A_weight_lies_where_the_manifest_says()
    {
        const int outputs = 37, inputs = 70, group = 32;
        var rowMajor = new sbyte[outputs * inputs];
        new Random(1).NextBytes((byte[])(object)rowMajor);
        var packed = new sbyte[BlockLayout.WeightBytes(outputs, inputs, group, 8)];
        packed.AsSpan().Fill(1);
        BlockLayout.Pack(rowMajor, outputs, inputs, group, 8, packed);
        for (var row = 0; row < 48; row++)
        {
            for (var input = 0; input < 96; input++)
            {
                // [blocks, groups, group / 2, 16, 2]
                var at = ((((row / 16 * 3 + input / 32) * 16 + input % 32 / 2) * 16) + row % 16) * 2 + input % 2;
                Assert.Equal(row < outputs && input < inputs ? rowMajor[row * inputs + input] : 0, packed[at]);
            }
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void The_bits_of_a_smaller_weight_lie_where_the_format_says(int bits)
    {
        const int outputs = 20, inputs = 70, group = 64;
        var half = 1 << (bits - 1);
        var random = new Random(bits);
        var rowMajor = Enumerable.Range(0, outputs * inputs).Select(_ => (sbyte)random.Next(-half, half)).ToArray();
        var packed = new sbyte[BlockLayout.WeightBytes(outputs, inputs, group, bits)];
        packed.AsSpan().Fill(1);
        BlockLayout.Pack(rowMajor, outputs, inputs, group, bits, packed);
        var words = MemoryMarshal.Cast<sbyte, uint>(packed);

        // [blocks, groups, group * bits / 32, 16] words; an upper word, then the lower ones that it completes.
        int[] lower = bits switch
        {
            4 => [0, 1, 2, 3, 4, 5, 6, 7],
            5 => [1, 2, 3, 4, 6, 7, 8, 9],
            _ => [1, 2, 4, 5, 7, 8, 10, 11],
        };
        int[] upper = bits == 5 ? [0, 0, 0, 0, 5, 5, 5, 5] : [0, 0, 3, 3, 6, 6, 9, 9];
        int[] upperPlaces = bits == 5 ? [7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0] : [6, 4, 2, 0, 6, 4, 2, 0, 6, 4, 2, 0, 6, 4, 2, 0];
        for (var row = 0; row < 32; row++)
        {
            for (var input = 0; input < 128; input++)
            {
                var first = (row / 16 * 2 + input / 64) * (group * bits / 32);
                var (word, pair, odd) = (input % 64 / 8, input % 8 / 2, input % 2);
                var stored = (words[(first + lower[word]) * 16 + row % 16] >> (16 * odd + 4 * pair)) & 15;
                if (bits > 4)
                {
                    var bitsAbove = words[(first + upper[word]) * 16 + row % 16] >> (16 * odd + 8 * (pair / 2) + upperPlaces[2 * word + pair % 2]);
                    stored |= (bitsAbove & ((1u << (bits - 4)) - 1)) << 4;
                }

                Assert.Equal(row < outputs && input < inputs ? rowMajor[row * inputs + input] : 0, (int)stored - half);
            }
        }
    }

    [Fact]
    public void Every_matrix_survives_packing_and_unpacking() =>
        (from outputs in Gen.Int[1, 50]
         from inputs in Gen.Int[1, 150]
         from halves in Gen.Int[1, 2]
         from bits in Gen.Int[0, 3].Select(index => index == 0 ? 8 : 3 + index)
         from weights in Gen.SByte[(sbyte)-(1 << (bits - 1)), (sbyte)((1 << (bits - 1)) - 1)].Array[outputs * inputs]
         select (outputs, inputs, halves * 32, bits, weights)).Sample((outputs, inputs, group, bits, weights) =>
        {
            var packed = new sbyte[BlockLayout.WeightBytes(outputs, inputs, group, bits)];
            packed.AsSpan().Fill(-1);
            BlockLayout.Pack(weights, outputs, inputs, group, bits, packed);
            var back = new sbyte[weights.Length];
            BlockLayout.Unpack(packed, outputs, inputs, group, bits, back);
            Assert.Equal(weights, back);

            var groups = BlockLayout.Groups(inputs, group);
            var scales = weights.Take(outputs).SelectMany(weight => Enumerable.Repeat((ushort)weight, groups)).ToArray();
            var packedScales = new ushort[BlockLayout.ScaleCount(outputs, inputs, group)];
            BlockLayout.PackScales(scales, outputs, groups, packedScales);
            Assert.Equal(scales[^1], packedScales[((outputs - 1) / 16 * groups + groups - 1) * 16 + (outputs - 1) % 16]);
            var scalesBack = new ushort[scales.Length];
            BlockLayout.UnpackScales(packedScales, outputs, groups, scalesBack);
            Assert.Equal(scales, scalesBack);
        }, iter: 300);

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Every_pattern_of_bits_is_a_matrix(int bits)
    {
        const int outputs = 32, inputs = 128, group = 32;
        var packed = new sbyte[BlockLayout.WeightBytes(outputs, inputs, group, bits)];
        Assert.Equal(outputs * inputs * bits / 8, packed.Length);
        new Random(bits).NextBytes((byte[])(object)packed);
        var weights = new sbyte[outputs * inputs];
        BlockLayout.Unpack(packed, outputs, inputs, group, bits, weights);
        Assert.Equal((-(1 << (bits - 1)), (1 << (bits - 1)) - 1), (weights.Min(), weights.Max()));
        var again = new sbyte[packed.Length];
        BlockLayout.Pack(weights, outputs, inputs, group, bits, again);
        Assert.Equal(packed, again);
    }

    [Theory]
    [InlineData(4, 8)]
    [InlineData(4, -9)]
    [InlineData(5, 16)]
    [InlineData(5, -17)]
    [InlineData(6, 32)]
    [InlineData(6, -33)]
    public void A_weight_of_more_bits_is_refused(int bits, int weight)
    {
        var weights = new sbyte[32];
        weights[31] = (sbyte)weight;
        var error = Assert.Throws<ArgumentException>(() => BlockLayout.Pack(weights, 1, 32, 32, bits, new sbyte[64 * bits]));
        Assert.Contains($"{weight} at 31", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => BlockLayout.Pack(new sbyte[16], 1, 16, 16, 8, new sbyte[256]));
        Assert.Throws<ArgumentOutOfRangeException>(() => BlockLayout.Pack(new sbyte[32], 1, 32, 32, 7, new sbyte[448]));
        Assert.Throws<ArgumentOutOfRangeException>(() => BlockLayout.Unpack(new sbyte[192], 1, 32, 32, 3, new sbyte[32]));
        Assert.Throws<ArgumentException>(() => BlockLayout.Pack(new sbyte[31], 1, 32, 32, 8, new sbyte[512]));
        Assert.Throws<ArgumentException>(() => BlockLayout.Pack(new sbyte[32], 1, 32, 32, 8, new sbyte[32]));
        Assert.Throws<ArgumentException>(() => BlockLayout.Pack(new sbyte[32], 1, 32, 32, 6, new sbyte[512]));
        Assert.Throws<ArgumentException>(() => BlockLayout.Unpack(new sbyte[512], 1, 32, 32, 8, new sbyte[33]));
        Assert.Throws<ArgumentException>(() => BlockLayout.PackScales(new ushort[2], 2, 1, new ushort[2]));
        Assert.Throws<ArgumentException>(() => BlockLayout.UnpackScales(new ushort[15], 1, 1, new ushort[1]));
    }

    [Theory]
    [InlineData(0f, 0x0000)]
    [InlineData(-0f, 0x8000)]
    [InlineData(1f, 0x3F80)]
    [InlineData(1.00390625f, 0x3F80)] // half a step above 1: to the even one, below
    [InlineData(1.01171875f, 0x3F82)] // half a step below the even one
    [InlineData(1.0039063692092896f, 0x3F81)] // just above half a step
    [InlineData(-1.01171875f, 0xBF82)]
    [InlineData(float.MaxValue, 0x7F80)]
    [InlineData(float.PositiveInfinity, 0x7F80)]
    [InlineData(float.Epsilon, 0x0000)]
    public void Bfloat16_rounds_to_nearest_even(float value, int bits) => Assert.Equal((ushort)bits, BFloat16.FromSingle(value));

    [Fact]
    public void Every_bfloat16_survives_widening()
    {
        for (var bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var value = BFloat16.ToSingle((ushort)bits);
            if (float.IsNaN(value))
            {
                Assert.True(float.IsNaN(BFloat16.ToSingle(BFloat16.FromSingle(value))));
            }
            else
            {
                Assert.Equal((ushort)bits, BFloat16.FromSingle(value));
            }
        }
    }
}
