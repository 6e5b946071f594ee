using System.Collections.Immutable;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Calibration;

/// <summary>The matrices of a layer by their index in the manifest's order.</summary>
internal static class LayerMatrices
{
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
}
