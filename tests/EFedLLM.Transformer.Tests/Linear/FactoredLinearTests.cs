using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Linear;

public sealed class FactoredLinearTests
{
    public static TheoryData<int, int, int, int, int, int, int> Shapes => new()
    {
        // outputs, inputs, rank, group of the base, group of the factors, bits of the base, bits of the factors; a group of 0 is absent
        { 1, 1, 0, 32, 0, 8, 8 },
        { 16, 32, 0, 32, 0, 8, 8 },
        { 70, 100, 0, 64, 0, 8, 8 },
        { 200, 96, 0, 32, 0, 8, 8 },
        { 33, 65, 7, 32, 32, 8, 8 },
        { 130, 160, 40, 64, 32, 8, 8 },
        { 48, 200, 64, 32, 64, 8, 8 },
        { 90, 70, 20, 0, 32, 8, 8 },
        { 17, 129, 1, 0, 64, 8, 8 },
        { 1, 1, 0, 32, 0, 4, 8 },
        { 200, 96, 0, 32, 0, 4, 8 },
        { 70, 100, 0, 64, 0, 4, 8 },
        { 130, 160, 40, 64, 32, 4, 8 },
        { 1, 1, 0, 64, 0, 5, 8 },
        { 200, 96, 0, 32, 0, 5, 8 },
        { 70, 100, 0, 64, 0, 5, 8 },
        { 48, 200, 64, 32, 64, 5, 6 },
        { 1, 1, 0, 64, 0, 6, 8 },
        { 200, 96, 0, 32, 0, 6, 8 },
        { 70, 100, 0, 64, 0, 6, 8 },
        { 33, 65, 7, 32, 32, 6, 5 },
        { 17, 129, 1, 0, 64, 8, 4 },

        // More rows than are ever computed at once.
        { 600, 96, 33, 32, 32, 8, 8 },
        { 520, 40, 0, 32, 0, 6, 8 },
        { 300, 40, 300, 0, 32, 8, 8 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_width_gives_the_bits_of_the_definition(int outputs, int inputs, int rank, int baseGroup, int factorGroup, int baseBits, int factorBits)
    {
        foreach (var extreme in new[] { false, true })
        {
            var matrix = Sample.Create(outputs, inputs, rank, baseGroup, factorGroup, baseBits, factorBits, extreme);
            foreach (var width in Enum.GetValues<KernelWidth>().Where(GroupDot.IsSupported))
            {
                var layer = matrix.Layer(width);
                using var team = new ComputeTeam(1);
                for (var rows = 1; rows <= 9; rows++)
                {
                    var x = matrix.Input(rows, kind: rows);
                    var expected = Enumerable.Range(0, rows).SelectMany(row => matrix.Apply(x.AsSpan(row * inputs, inputs))).ToArray();
                    AssertSameBits(expected, Apply(layer, x, rows, team), $"{width}, {rows} rows");
                }

                for (var kind = 0; kind < HardRows.Kinds; kind++)
                {
                    var x = matrix.Input(1, kind);
                    AssertSameBits(matrix.Apply(x), Apply(layer, x, 1, team), $"{width}, kind {kind}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(VectorWidthProcesses.Narrower), MemberType = typeof(VectorWidthProcesses))]
    public async Task A_processor_without_wide_registers_gives_the_same_bits(VectorWidth width)
    {
        var hashes = await VectorWidthProcesses.HashAsync(width, typeof(FactoredLinearDigest));
        Assert.Equal([BitResults.Hash(new FactoredLinearDigest())], hashes);
    }

    /// <summary>Enough rows for weights of every number of bits to be unpacked once, whole tiles of them or not, and rows of a matrix that fill registers or not.</summary>
    [Theory]
    [InlineData(48, 300, 32, 4)]
    [InlineData(70, 520, 64, 4)]
    [InlineData(48, 520, 64, 5)]
    [InlineData(70, 300, 32, 5)]
    [InlineData(48, 300, 32, 6)]
    [InlineData(600, 70, 64, 6)]
    [InlineData(48, 300, 32, 8)]
    public void Many_rows_give_the_bits_of_the_definition(int outputs, int inputs, int group, int bits)
    {
        using var team = new ComputeTeam(1);
        foreach (var extreme in new[] { false, true })
        {
            var matrix = Sample.Create(outputs, inputs, 40, group, 32, bits, bits, extreme);
            var x = matrix.Input(71, kind: 1);
            var expected = Enumerable.Range(0, 71).SelectMany(row => matrix.Apply(x.AsSpan(row * inputs, inputs))).ToArray();
            foreach (var width in Enum.GetValues<KernelWidth>().Where(GroupDot.IsSupported))
            {
                var layer = matrix.Layer(width);
                foreach (var rows in new[] { 10, 11, 19, 20, 21, 23, 26, 71 })
                {
                    AssertSameBits(expected[..(rows * outputs)], Apply(layer, x.AsSpan(0, rows * inputs), rows, team), $"{width}, {rows} rows");
                }
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Neither_threads_nor_the_rest_of_the_batch_change_a_row(int threads)
    {
        var matrix = Sample.Create(333, 257, 70, 32, 64, 8, 8, extreme: false);
        var layer = matrix.Layer(GroupDot.Best);
        using var alone = new ComputeTeam(1);
        using var team = new ComputeTeam(threads);
        const int rows = 70;
        var x = matrix.Input(rows, kind: 0);
        var together = Apply(layer, x, rows, team);
        for (var row = 0; row < rows; row++)
        {
            AssertSameBits(Apply(layer, x.AsSpan(row * 257, 257), 1, alone), together[(row * 333)..((row + 1) * 333)], $"row {row}");
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void The_product_is_right_within_the_error_of_quantising(int outputs, int inputs, int rank, int baseGroup, int factorGroup, int baseBits, int factorBits)
    {
        var matrix = Sample.Create(outputs, inputs, rank, baseGroup, factorGroup, baseBits, factorBits, extreme: false);
        using var team = new ComputeTeam(2);
        foreach (var kind in new[] { 0, 1, 4, 5, 7, 11 })
        {
            var x = matrix.Input(1, kind);
            var (expected, error) = matrix.Exact(x);
            var y = Apply(matrix.Layer(GroupDot.Best), x, 1, team);
            for (var i = 0; i < outputs; i++)
            {
                Assert.True(Math.Abs(y[i] - expected[i]) <= error[i], $"Output {i} is {y[i]:R} instead of {expected[i]:R}; at most {error[i]:R} are due to rounding.");
            }
        }
    }

    [Fact]
    public void Every_byte_of_weights_is_counted()
    {
        var matrix = Sample.Create(40, 70, 20, 32, 64, 8, 8, extreme: false);
        var expected = 48 * 96 + 48 * 3 * 2 // base: rows and inputs filled up, a scale of two bytes per group
            + 64 * 128 + 64 * 2 * 2 // V
            + 48 * 64 + 48 * 2 // U
            + 40 * 4; // bias
        Assert.Equal(expected, matrix.Layer(GroupDot.Best).WeightBytes);
    }

    [Fact]
    public void A_second_application_allocates_nothing()
    {
        var matrix = Sample.Create(64, 96, 32, 32, 64, 8, 8, extreme: false);
        var layer = matrix.Layer(GroupDot.Best);
        using var team = new ComputeTeam(2);
        var workspace = new LinearWorkspace();
        var x = matrix.Input(5, kind: 0);
        var y = new float[5 * 64];
        layer.Apply(x, 5, y, workspace, team);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var rows = 1; rows <= 5; rows++)
        {
            layer.Apply(x.AsSpan(0, rows * 96), rows, y.AsSpan(0, rows * 64), workspace, team);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void What_does_not_fit_together_is_refused()
    {
        var (b, v, u) = (Matrix(16, 64, 32), Matrix(32, 64, 32), Matrix(16, 32, 32));
        Assert.Throws<ArgumentException>(() => new FactoredLinear(64, 16, null, null, null, null));
        Assert.Throws<ArgumentException>(() => new FactoredLinear(64, 16, b, v, null, null));
        Assert.Throws<ArgumentException>(() => new FactoredLinear(63, 16, b, null, null, null));
        Assert.Throws<ArgumentException>(() => new FactoredLinear(64, 17, null, v, u, null));
        Assert.Throws<ArgumentException>(() => new FactoredLinear(64, 16, b, Matrix(16, 64, 32), u, null));
        Assert.Throws<ArgumentException>(() => new FactoredLinear(64, 16, b, Matrix(16, 64, 32), Matrix(16, 16, 32), null));
        Assert.Throws<ArgumentException>(() => new FactoredLinear(64, 16, b, null, null, new float[15]));
        Assert.Throws<ArgumentException>(() => new BlockMatrix(16, 64, 32, 8, new sbyte[1023], new ushort[32]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlockMatrix(16, 64, 16, 8, new sbyte[1024], new ushort[64]));
        Assert.Throws<ArgumentException>(() => new BlockMatrix(16, 64, 32, 5, new sbyte[512], new ushort[32]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlockMatrix(16, 64, 32, 7, new sbyte[896], new ushort[32]));
        using var team = new ComputeTeam(1);
        var layer = new FactoredLinear(64, 16, b, v, u, null);
        Assert.Throws<ArgumentException>(() => layer.Apply(new float[63], 1, new float[16], new LinearWorkspace(), team));
        Assert.Throws<ArgumentException>(() => layer.Apply(new float[64], 1, new float[17], new LinearWorkspace(), team));
        Assert.Throws<ArgumentOutOfRangeException>(() => layer.Apply([], 0, [], new LinearWorkspace(), team));
    }

    internal static float[] Apply(FactoredLinear layer, ReadOnlySpan<float> x, int rows, ComputeTeam team)
    {
        var y = new float[rows * layer.Outputs];
        y.AsSpan().Fill(float.NegativeInfinity);
        layer.Apply(x, rows, y, new LinearWorkspace(), team);
        return y;
    }

    private static BlockMatrix Matrix(int outputs, int inputs, int group) =>
        PlainFactored.Random(outputs, inputs, group, new Random(3)).Pack();

    private static void AssertSameBits(float[] expected, float[] actual, string what)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(
                BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i]),
                $"{what}: value {i} is {actual[i]:R} instead of {expected[i]:R}.");
        }
    }
}
