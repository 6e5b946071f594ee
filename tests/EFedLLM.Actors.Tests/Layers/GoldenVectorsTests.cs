using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Tests.Layers;

public sealed class GoldenVectorsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void The_known_seed_has_one_root_whatever_computes_it(int threads) => Assert.Equal(GoldenVectors.KnownRoot, Root(GoldenVectors.KnownSeed, threads));

    [Fact]
    public void Another_seed_has_another_root() => Assert.NotEqual(Root(8, 2), Root(9, 2));

    private static Digest Root(ulong seed, int threads)
    {
        using var team = new ComputeTeam(threads);
        return GoldenVectors.Compute(seed, team);
    }
}
