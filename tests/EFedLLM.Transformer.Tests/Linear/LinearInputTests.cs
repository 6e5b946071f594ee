using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Tests.Linear;

public sealed unsafe class LinearInputTests
{
    private const int Inputs = 257;

    private static readonly BlockMatrix SharedV = PlainFactored.Random(128, Inputs, 64, new Random(9)).Pack();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(5, 1)]
    [InlineData(70, 1)]
    [InlineData(70, 2)]
    [InlineData(70, 3)]
    public void Layers_that_share_an_input_give_the_bits_they_give_alone(int rows, int threads)
    {
        using var team = new ComputeTeam(threads);
        using var alone = new ComputeTeam(1);
        foreach (var width in Enum.GetValues<KernelWidth>().Where(GroupDot.IsSupported))
        {
            var layers = Layers(width);
            var (x, other) = (Row(rows, seed: 1), Row(rows, seed: 2));
            var workspace = new LinearWorkspace();
            foreach (var values in new[] { x, other, x })
            {
                var input = new LinearInput(values, rows, workspace);
                foreach (var layer in layers)
                {
                    var y = new float[rows * layer.Outputs];
                    layer.Apply(input, y, team);
                    Assert.Equal(Bits(Apply(layer, values, rows, alone)), Bits(y));
                }
            }
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(5, 3)]
    [InlineData(70, 2)]
    public void Layers_that_share_a_loop_give_the_bits_they_give_alone(int rows, int threads)
    {
        using var team = new ComputeTeam(threads);
        using var alone = new ComputeTeam(1);
        foreach (var width in Enum.GetValues<KernelWidth>().Where(GroupDot.IsSupported))
        {
            var layers = Layers(width);
            var workspace = new LinearWorkspace();
            for (var turn = 0; turn < layers.Length; turn++)
            {
                // Every kind beside every other one, dense ones and such without a base included; and an input of two loops.
                var x = Row(rows, seed: turn);
                LinearLayer[] together = [layers[turn], layers[(turn + 1) % layers.Length], layers[(turn + 3) % layers.Length]];
                var results = together.Select(layer => new float[rows * layer.Outputs + 3]).ToArray();
                var input = new LinearInput(x, rows, workspace);
                LinearLayers.Apply(input, team, together[0], results[0], together[1], results[1], together[2], results[2]);
                LinearLayers.Apply(input, team, together[2], results[2], together[0], results[0]);
                for (var i = 0; i < together.Length; i++)
                {
                    Assert.Equal(Bits(Apply(together[i], x, rows, alone)), Bits(results[i][..^3]));
                }
            }
        }
    }

    [Fact]
    public void A_shared_V_is_multiplied_once_in_a_loop_and_threads_that_overtake_it_wait()
    {
        using var team = new ComputeTeam(4);
        using var alone = new ComputeTeam(1);
        var v = Random(1024, 512, 32);
        FactoredLinear[] layers = [.. new[] { 40, 600, 200 }.Select(outputs => new FactoredLinear(512, outputs, Random(outputs, 512, 32), v, Random(outputs, 1024, 32), null))];
        var workspace = new LinearWorkspace();
        for (var i = 0; i < 50; i++)
        {
            var rows = 1 + i % 6;
            var x = Row(rows, seed: i, inputs: 512);
            var results = layers.Select(layer => new float[rows * layer.Outputs]).ToArray();
            LinearLayers.Apply(new LinearInput(x, rows, workspace), team, layers[0], results[0], layers[1], results[1], layers[2], results[2]);
            Assert.Equal(1, workspace.LowRankUsed);
            for (var layer = 0; layer < layers.Length; layer++)
            {
                Assert.Equal(Bits(Apply(layers[layer], x, rows, alone)), Bits(results[layer]));
            }
        }
    }

    [Fact]
    public void A_loop_that_a_layer_does_not_fit_leaves_nothing_behind()
    {
        using var team = new ComputeTeam(2);
        var (layer, other) = (Factored(80, Random(64, Inputs, 32), shares: false), new FactoredLinear(64, 70, Random(70, 64, 32), null, null, null));
        var (x, workspace) = (Row(1, seed: 1), new LinearWorkspace());
        Assert.Throws<ArgumentException>(() => LinearLayers.Apply(new LinearInput(x, 1, workspace), team, layer, new float[80], other, new float[70]));
        var y = new float[80];
        layer.Apply(new LinearInput(x, 1, workspace), y, team);
        Assert.Equal(Bits(Apply(layer, x, 1, team)), Bits(y));
    }

    [Fact]
    public void Threads_that_overtake_a_large_V_give_the_bits_of_one()
    {
        using var team = new ComputeTeam(4);
        using var alone = new ComputeTeam(1);
        var (b, v, u) = (Random(1000, 512, 32), Random(1024, 512, 32), Random(1000, 1024, 32));
        var layer = new FactoredLinear(512, 1000, b, v, u, new float[1000]);
        for (var i = 0; i < 50; i++)
        {
            var rows = 1 + i % 6;
            var x = Row(rows, seed: i, inputs: 512);
            Assert.Equal(Bits(Apply(layer, x, rows, alone)), Bits(Apply(layer, x, rows, team)));
        }
    }

    [Fact]
    public void Rows_are_quantised_and_a_shared_V_is_multiplied_once()
    {
        using var team = new ComputeTeam(1);
        var v = Random(64, Inputs, 32);
        var (first, second) = (Factored(80, v, shares: false), Factored(90, v, shares: true));
        var (x, y, workspace) = (Row(3, seed: 1), new float[3 * 90], new LinearWorkspace());
        var expected = Apply(second, x, 3, team);
        var input = new LinearInput(x, 3, workspace);
        first.Apply(input, new float[3 * 80], team);

        // What was made of the input stays, whatever becomes of what it was made of.
        Array.Clear(x);
        new Span<byte>((void*)v.Blocks.Weights, 64 * Inputs).Clear();
        second.Apply(input, y, team);
        Assert.Equal(Bits(expected), Bits(y));

        second.Apply(new LinearInput(x, 3, workspace), y, team);
        Assert.All(y, value => Assert.Equal(0f, value));
    }

    [Fact]
    public void The_owner_alone_counts_a_shared_V()
    {
        var v = Random(64, Inputs, 32);
        Assert.Equal(Factored(80, v, shares: false).WeightBytes - v.Bytes, Factored(80, v, shares: true).WeightBytes);
    }

    [Fact]
    public void Inputs_that_take_turns_allocate_nothing()
    {
        using var team = new ComputeTeam(2);
        var layers = Layers(GroupDot.Best);
        var (x, y, workspace) = (Row(5, seed: 1), new float[5 * 333], new LinearWorkspace());
        Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Run()
        {
            for (var rows = 5; rows >= 1; rows--)
            {
                var input = new LinearInput(x.AsSpan(0, rows * Inputs), rows, workspace);
                foreach (var layer in layers)
                {
                    layer.Apply(input, y.AsSpan(0, rows * layer.Outputs), team);
                }

                LinearLayers.Apply(input, team, layers[0], y, layers[1], y, layers[3], y);
            }
        }
    }

    [Fact]
    public void An_input_that_another_has_followed_is_refused()
    {
        using var team = new ComputeTeam(1);
        var layer = Layers(GroupDot.Best)[0];
        var (x, y, workspace) = (Row(1, seed: 1), new float[layer.Outputs], new LinearWorkspace());
        Assert.Contains("anew", Assert.Throws<InvalidOperationException>(() =>
        {
            var first = new LinearInput(x, 1, workspace);
            _ = new LinearInput(x, 1, workspace);
            layer.Apply(first, y, team);
        }).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => layer.Apply(default, y, team));
    }

    [Fact]
    public void Values_that_are_not_whole_rows_are_refused()
    {
        var workspace = new LinearWorkspace();
        Assert.Throws<ArgumentException>(() => { _ = new LinearInput(new float[7], 2, workspace); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = new LinearInput(new float[7], 0, workspace); });
        Assert.Throws<ArgumentNullException>(() => { _ = new LinearInput(new float[7], 1, null!); });
    }

    /// <summary>Layers of every kind: bases of both groups, a V of their own in several groups, one V for two of them, a dense one.</summary>
    private static LinearLayer[] Layers(KernelWidth width) =>
    [
        new FactoredLinear(Inputs, 333, Random(333, Inputs, 32), SharedV, Random(333, 128, 64), new float[333]) { Width = width },
        new FactoredLinear(Inputs, 70, Random(70, Inputs, 64), null, null, null) { Width = width },
        new FactoredLinear(Inputs, 90, null, Random(64, Inputs, 32), Random(90, 64, 64), null) { Width = width },
        new FactoredLinear(Inputs, 130, Random(130, Inputs, 64), SharedV, Random(130, 128, 64), null) { Width = width, SharesV = true },
        new FactoredLinear(Inputs, 33, null, SharedV, Random(33, 128, 32), null) { Width = width, SharesV = true },
        new CheckpointLinear(Inputs, 20, Row(20, seed: 5), new float[20]),
    ];

    private static FactoredLinear Factored(int outputs, BlockMatrix v, bool shares) =>
        new(Inputs, outputs, Random(outputs, Inputs, 32), v, Random(outputs, 64, 32), null) { SharesV = shares };

    private static BlockMatrix Random(int outputs, int inputs, int group) =>
        PlainFactored.Random(outputs, inputs, group, new Random(outputs)).Pack();

    private static float[] Row(int rows, int seed, int inputs = Inputs)
    {
        var x = new float[rows * inputs];
        HardRows.Fill(x, 0, new Random(seed));
        return x;
    }

    private static float[] Apply(LinearLayer layer, float[] x, int rows, ComputeTeam team)
    {
        var y = new float[rows * layer.Outputs];
        layer.Apply(x, rows, y, new LinearWorkspace(), team);
        return y;
    }

    private static IEnumerable<int> Bits(float[] values) => values.Select(BitConverter.SingleToInt32Bits);
}
