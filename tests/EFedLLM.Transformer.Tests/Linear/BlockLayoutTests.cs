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
        var packed = new sbyte[BlockLayout.WeightBytes(outputs, inputs, group)];
        packed.AsSpan().Fill(1);
        BlockLayout.Pack(rowMajor, outputs, inputs, group, packed);
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

    [Fact]
    public void Every_matrix_survives_packing_and_unpacking() =>
        (from outputs in Gen.Int[1, 50]
         from inputs in Gen.Int[1, 150]
         from halves in Gen.Int[1, 2]
         from weights in Gen.SByte.Array[outputs * inputs]
         select (outputs, inputs, halves * 32, weights)).Sample((outputs, inputs, group, weights) =>
        {
            var packed = new sbyte[BlockLayout.WeightBytes(outputs, inputs, group)];
            BlockLayout.Pack(weights, outputs, inputs, group, packed);
            var back = new sbyte[weights.Length];
            BlockLayout.Unpack(packed, outputs, inputs, group, back);
            Assert.Equal(weights, back);

            var groups = BlockLayout.Groups(inputs, group);
            var scales = weights.Take(outputs).SelectMany(weight => Enumerable.Repeat((ushort)weight, groups)).ToArray();
            var packedScales = new ushort[BlockLayout.ScaleCount(outputs, inputs, group)];
            BlockLayout.PackScales(scales, outputs, groups, packedScales);
            Assert.Equal(scales[^1], packedScales[((outputs - 1) / 16 * groups + groups - 1) * 16 + (outputs - 1) % 16]);
            var scalesBack = new ushort[scales.Length];
            BlockLayout.UnpackScales(packedScales, outputs, groups, scalesBack);
            Assert.Equal(scales, scalesBack);
        }, iter: 200);

    [Fact]
    public void Lengths_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => BlockLayout.Pack(new sbyte[16], 1, 16, 16, new sbyte[256]));
        Assert.Throws<ArgumentException>(() => BlockLayout.Pack(new sbyte[31], 1, 32, 32, new sbyte[512]));
        Assert.Throws<ArgumentException>(() => BlockLayout.Pack(new sbyte[32], 1, 32, 32, new sbyte[32]));
        Assert.Throws<ArgumentException>(() => BlockLayout.Unpack(new sbyte[512], 1, 32, 32, new sbyte[33]));
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
