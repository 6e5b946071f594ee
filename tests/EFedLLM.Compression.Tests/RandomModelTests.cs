using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Tests;

public sealed class RandomModelTests : IDisposable
{
    private static readonly ModelShape Shape = KnownShapes.Find("1b") with
    {
        VocabularySize = 101, HiddenSize = 88, IntermediateSize = 150, Layers = 2, Heads = 4, KeyValueHeads = 2, HeadSize = 22, QueryKeyValueBias = true,
    };

    private readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(8)]
    [InlineData(6)]
    [InlineData(5)]
    [InlineData(4)]
    public void Weights_have_the_spread_that_keeps_activations_their_size(int bits)
    {
        var result = RandomModel.Write(Shape, _scratch.File("model"), seed: 7, bits);
        Assert.All(result.Manifest.Matrices, form => Assert.Equal(form.Unit == 0 ? 8 : bits, form.Base!.Bits));
        FactoredFiles.AssertSound(result.Folder);
        Assert.Empty(result.Manifest.Companions);
        foreach (var form in result.Manifest.Matrices)
        {
            var values = FactoredFiles.Matrix(result.Folder, form);
            var expected = form.Unit == 0 ? 1 : 1 / Math.Sqrt(form.Inputs);
            Assert.InRange(values.Average(), -0.1 * expected, 0.1 * expected);
            Assert.InRange(Math.Sqrt(values.Average(value => (double)value * value)) / expected, 0.95, 1.05);
        }
    }

    [Fact]
    public void Padding_is_zero()
    {
        var result = RandomModel.Write(Shape, _scratch.File("model"), seed: 7);
        foreach (var form in result.Manifest.Matrices)
        {
            using var file = SafetensorsFile.Open(Path.Combine(result.Folder, result.Manifest.Files[form.Unit].Name));
            var bytes = file.Bytes(form.Name + (form.Unit == 0 ? ".weight" : ".base.weight"));
            // About one weight in 256 is zero by chance.
            var zeros = 0;
            foreach (var value in bytes)
            {
                zeros += value == 0 ? 1 : 0;
            }

            var padding = bytes.Length - form.Outputs * form.Inputs;
            Assert.True(padding > 0);
            Assert.InRange(zeros - padding, 0, form.Outputs * form.Inputs / 100);
        }
    }

    [Theory]
    [InlineData(8)]
    [InlineData(6)]
    [InlineData(5)]
    [InlineData(4)]
    public void Activations_keep_their_size_through_many_layers(int bits)
    {
        const int Positions = 16;
        using var model = FactoredModel.Open(RandomModel.Write(Shape with { Layers = 24 }, _scratch.File("model"), seed: 3, bits).Folder);
        using var shard = TransformerShard.Load(model, LayerRange.Whole(model.Shape.Layers));
        Assert.Equal(Enumerable.Range(0, model.Shape.Units).Sum(model.Manifest.UnitReadBytes), shard.WeightBytesPerToken);
        using var team = new ComputeTeam(1);
        using var cache = shard.CreateCache(Positions);
        var logits = new float[Positions * model.Shape.VocabularySize];
        var step = new ShardStep { Cache = cache, Count = Positions, Tokens = Enumerable.Range(0, Positions).ToArray(), LogitRows = Positions, Logits = logits };
        shard.Forward([step], team);
        Assert.All(logits, logit => Assert.True(float.IsFinite(logit)));
        Assert.InRange(Math.Sqrt(logits.Average(logit => (double)logit * logit)), 0.5, 2);
    }

    [Fact]
    public void The_seed_alone_decides()
    {
        var first = RandomModel.Write(Shape, _scratch.File("first"), seed: 7, name: "same");
        Assert.Equal(first.Id, RandomModel.Write(Shape, _scratch.File("second"), seed: 7, name: "same").Id);
        Assert.NotEqual(first.Id, RandomModel.Write(Shape, _scratch.File("third"), seed: 8, name: "same").Id);
        Assert.True(RandomModel.Write(Shape, _scratch.File("first"), seed: 7, name: "same").AlreadyThere);
    }
}
