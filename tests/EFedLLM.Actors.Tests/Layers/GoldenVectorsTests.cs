using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Tests.Layers;

public sealed class GoldenVectorsTests
{
    // Computed once, and the same on every machine since: its first digits.
    private const string RootOfSeven = "7bd41ee5a465c5ec";

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_seed_has_one_root_whatever_computes_it(int threads) => Assert.StartsWith(RootOfSeven, Root(7, threads).ToString(), StringComparison.Ordinal);

    [Fact]
    public void Another_seed_has_another_root() => Assert.NotEqual(Root(8, 2), Root(9, 2));

    private static Digest Root(ulong seed, int threads)
    {
        using var team = new ComputeTeam(threads);
        return GoldenVectors.Compute(seed, team);
    }
}
