using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Tests;

public sealed class CompressionPlanTests
{
    private static readonly CompressionSettings Svd = new() { Profile = CompressionProfile.Svd, Keep = 0.4 };

    [Theory]
    [InlineData(2048, 2048, 0.4, 409)]
    [InlineData(5632, 2048, 0.4, 600)]
    [InlineData(3, 3, 0.1, 1)]
    [InlineData(100, 1, 1, 1)]
    [InlineData(262144, 262144, 1, 131072)]
    public void A_rank_keeps_no_more_than_its_share_of_the_parameters(int outputs, int inputs, double keep, int rank) =>
        Assert.Equal(rank, CompressionPlan.Rank(outputs, inputs, keep));

    [Fact]
    public void Only_the_layers_are_factored_and_there_not_the_keys_and_values_of_grouped_queries()
    {
        var forms = CompressionPlan.Forms(KnownShapes.Find("1b"), Svd);
        Assert.Equal(22 * 5, forms.Count(form => form.Rank > 0));
        Assert.All(forms.Where(form => form.Rank == 0), form => Assert.Contains(form.Name, (string[])["embed", "lm_head", "self_attn.k_proj", "self_attn.v_proj"]));
        Assert.Equal(32 * 7, CompressionPlan.Forms(KnownShapes.Find("7b"), Svd).Count(form => form.Rank > 0));
    }

    [Fact]
    public void A_matrix_that_factors_would_not_make_smaller_stays_whole()
    {
        // A rank of 6 is stored as 32 in a matrix of 32 x 32.
        var shape = KnownShapes.Find("1b") with { HiddenSize = 32, IntermediateSize = 32, Heads = 1, KeyValueHeads = 1, HeadSize = 32, Layers = 1 };
        Assert.All(CompressionPlan.Forms(shape, Svd), form => Assert.Equal(0, form.Rank));
    }

    [Fact]
    public void An_unknown_shape_is_refused_with_the_known_ones() =>
        Assert.Contains("135m, 1b, 7b", Assert.Throws<ArgumentException>(() => KnownShapes.Find("2t")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("135m", 134_515_008)]
    [InlineData("1b", 1_100_048_384)]
    [InlineData("7b", 6_738_415_616)]
    public void The_known_shapes_have_as_many_parameters_as_their_models(string name, long parameters) =>
        Assert.Equal(parameters, ManifestLayout.Parameters(KnownShapes.Find(name)));
}
