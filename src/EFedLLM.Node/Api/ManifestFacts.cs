using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Api;

/// <summary>What a manifest says of a part of its model.</summary>
internal static class ManifestFacts
{
    private const double BitsPerByte = 8;

    /// <summary>Bits of a weight of a range's matrices, scales and factors included.</summary>
    public static double Bits(ModelManifest manifest, LayerRange range)
    {
        var matrices = Matrices(manifest, range).ToList();
        return BitsPerByte * matrices.Sum(matrix => matrix.Bytes) / matrices.Sum(matrix => (double)matrix.Outputs * matrix.Inputs);
    }

    /// <summary>Smallest and largest rank of a range's matrices; 0 is no low-rank part.</summary>
    public static (int Lowest, int Highest) Ranks(ModelManifest manifest, LayerRange range)
    {
        var ranks = Matrices(manifest, range).Select(matrix => matrix.Rank).ToList();
        return (ranks.Min(), ranks.Max());
    }

    private static IEnumerable<MatrixForm> Matrices(ModelManifest manifest, LayerRange range) =>
        Enumerable.Range(range.First, range.Count).SelectMany(unit => manifest.MatricesOf(unit));
}
