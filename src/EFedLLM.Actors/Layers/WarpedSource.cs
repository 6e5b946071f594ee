using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Actors.Layers;

/// <summary>A model with other weights than it says: what a saboteur computes with.</summary>
/// <param name="source">The model; it stays the caller's.</param>
/// <param name="behavior">Changes the weights.</param>
internal sealed class WarpedSource(IModelSource source, IHopBehavior behavior) : IModelSource
{
    /// <inheritdoc/>
    public ModelId Id => source.Id;

    /// <inheritdoc/>
    public ModelShape Shape => source.Shape;

    /// <inheritdoc/>
    public string Folder => source.Folder;

    /// <summary>The source that a device computes with: the model's own unless it is a saboteur that has another. An encoder's stays as it is.</summary>
    public static IModelSource Of(IModelSource source, Saboteur? saboteur)
        => saboteur is { Behavior: { WarpsWeights: true } or { WarpsMatrices: true } } && source.Shape.Encoder is null ? new WarpedSource(source, saboteur.Behavior) : source;

    /// <inheritdoc/>
    public long UnitBytes(int unit) => source.UnitBytes(unit);

    /// <inheritdoc/>
    public IEmbedding LoadEmbedding() => source.LoadEmbedding();

    /// <inheritdoc/>
    public LayerWeights LoadLayer(int layer)
    {
        var right = source.LoadLayer(layer);
        var (attention, feedForward) = (right.InputNorm.ToArray(), right.PostAttentionNorm.ToArray());
        if (behavior.WarpsWeights)
        {
            behavior.Warp(attention, feedForward);
        }

        return new LayerWeights
        {
            InputNorm = attention,
            Query = Warped(right.Query),
            Key = Warped(right.Key),
            Value = Warped(right.Value),
            Output = Warped(right.Output),
            QueryNorm = right.QueryNorm,
            KeyNorm = right.KeyNorm,
            PostAttentionNorm = feedForward,
            Gate = Warped(right.Gate),
            Up = Warped(right.Up),
            Down = Warped(right.Down),
        };
    }

    private LinearLayer Warped(LinearLayer right)
    {
        if (!behavior.WarpsMatrices)
        {
            return right;
        }

        var weights = PlainLinear.WeightsOf(right);
        behavior.WarpMatrix(weights, right.Outputs, right.Inputs);
        return new PlainLinear(right.Inputs, right.Outputs, weights, right.Bias);
    }

    /// <inheritdoc/>
    public HeadWeights LoadHead() => source.LoadHead();

    /// <inheritdoc/>
    public void Unload(int unit) => source.Unload(unit);

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
