using System.Collections.Immutable;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Calibration;

/// <summary>The matrices of a layer by their index in the manifest's order, and which of them share an input.</summary>
internal static class LayerMatrices
{
    /// <summary>Inputs of a layer that matrices read: attention's, the output projection's, the feed-forward block's, the down projection's.</summary>
    public const int Inputs = 4;

    /// <summary>The input of each matrix.</summary>
    public static readonly ImmutableArray<int> InputOf = [0, 0, 0, 1, 2, 2, 3];

    /// <summary>Number of matrices.</summary>
    public static int Count => InputOf.Length;

    /// <summary>The matrices of a layer.</summary>
    public static ImmutableArray<LinearLayer> Of(LayerWeights layer) =>
        [layer.Query, layer.Key, layer.Value, layer.Output, layer.Gate, layer.Up, layer.Down];

    /// <summary>The layer with other matrices.</summary>
    public static LayerWeights With(LayerWeights layer, IReadOnlyList<LinearLayer> matrices) => new()
    {
        InputNorm = layer.InputNorm,
        Query = matrices[0],
        Key = matrices[1],
        Value = matrices[2],
        Output = matrices[3],
        QueryNorm = layer.QueryNorm,
        KeyNorm = layer.KeyNorm,
        PostAttentionNorm = layer.PostAttentionNorm,
        Gate = matrices[4],
        Up = matrices[5],
        Down = matrices[6],
    };

    /// <summary>The layer with one other matrix.</summary>
    public static LayerWeights With(LayerWeights layer, int index, LinearLayer matrix) => With(layer, Of(layer).SetItem(index, matrix));

    /// <summary>The layer with its inputs taken into moments, one for each of <see cref="Inputs"/>.</summary>
    public static LayerWeights Observed(LayerWeights layer, IReadOnlyList<SecondMoment> moments)
    {
        var matrices = Of(layer);
        return With(layer, [.. matrices.Select((matrix, index) =>
            index > 0 && InputOf[index] == InputOf[index - 1] ? matrix : new ObservedLinear(matrix, moments[InputOf[index]]))]);
    }
}
