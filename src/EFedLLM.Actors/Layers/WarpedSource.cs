using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

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
        => saboteur is { Behavior: { WarpsWeights: true } behavior } && source.Shape.Encoder is null ? new WarpedSource(source, behavior) : source;

    /// <inheritdoc/>
    public long UnitBytes(int unit) => source.UnitBytes(unit);

    /// <inheritdoc/>
    public IEmbedding LoadEmbedding() => source.LoadEmbedding();

    /// <inheritdoc/>
    public LayerWeights LoadLayer(int layer)
    {
        var right = source.LoadLayer(layer);
        var (attention, feedForward) = (right.InputNorm.ToArray(), right.PostAttentionNorm.ToArray());
        behavior.Warp(attention, feedForward);
        return new LayerWeights
        {
            InputNorm = attention,
            Query = right.Query,
            Key = right.Key,
            Value = right.Value,
            Output = right.Output,
            QueryNorm = right.QueryNorm,
            KeyNorm = right.KeyNorm,
            PostAttentionNorm = feedForward,
            Gate = right.Gate,
            Up = right.Up,
            Down = right.Down,
        };
    }

    /// <inheritdoc/>
    public HeadWeights LoadHead() => source.LoadHead();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
