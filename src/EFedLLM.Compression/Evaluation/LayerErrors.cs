using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Evaluation;

/// <summary>Where in a model its error comes from: how far the residual stream is from the reference's after each layer.</summary>
public static class LayerErrors
{
    /// <summary>
    /// Sends the tokens through all models, one unit at a time (of each model one unit is loaded), and compares the residual streams:
    /// the error after a unit is ‖h - h'‖ / ‖h‖ over all tokens, h the reference's.
    /// </summary>
    /// <param name="reference">The reference.</param>
    /// <param name="models">Models of its depth and width.</param>
    /// <param name="tokens">What is fed, at least one token; all residual streams of it are in memory.</param>
    /// <param name="startToken">Fed before each chunk.</param>
    /// <param name="chunk">Tokens in one context, 1 to the context length.</param>
    /// <param name="team">The threads that compute.</param>
    /// <param name="cancellation">Ends it between two units.</param>
    /// <returns>[model][unit]: the error after the embedding, then after each layer.</returns>
    /// <exception cref="ArgumentException">A model is not of the reference's depth and width, or tokens and chunk do not fit.</exception>
    /// <exception cref="NonFiniteStepException">A model does not lead to finite numbers.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyList<IReadOnlyList<double>> Measure(
        IModelSource reference,
        IReadOnlyList<IModelSource> models,
        ReadOnlyMemory<int> tokens,
        int startToken,
        int chunk,
        ComputeTeam team,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(models);
        ArgumentOutOfRangeException.ThrowIfLessThan(chunk, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens.Length, 1, nameof(tokens));
        var (layers, width) = (reference.Shape.Layers, reference.Shape.HiddenSize);
        if (models.FirstOrDefault(model => (model.Shape.Layers, model.Shape.HiddenSize) != (layers, width)) is { } other)
        {
            throw new ArgumentException(
                $"\"{other.Folder}\" has {other.Shape.Layers} layers of width {other.Shape.HiddenSize}, the reference {layers} of {width}: compare models made of one checkpoint.",
                nameof(models));
        }

        var chunks = Enumerable.Range(0, (tokens.Length + chunk - 1) / chunk)
            .Select(index => tokens.Slice(index * chunk, Math.Min(chunk, tokens.Length - index * chunk)))
            .Select(part => (int[])[startToken, .. part.Span[..^1]])
            .ToArray();
        var streams = models.Prepend(reference).Select(_ => chunks.Select(part => new float[part.Length * width]).ToArray()).ToArray();
        var errors = models.Select(_ => new List<double>(layers + 1)).ToArray();
        for (var unit = 0; unit <= layers; unit++)
        {
            cancellation.ThrowIfCancellationRequested();
            Forward(reference, unit, chunks, streams[0], team);
            for (var i = 0; i < models.Count; i++)
            {
                Forward(models[i], unit, chunks, streams[i + 1], team);
                errors[i].Add(Relative(streams[0], streams[i + 1]));
            }
        }

        return errors;
    }

    private static void Forward(IModelSource model, int unit, int[][] chunks, float[][] streams, ComputeTeam team)
    {
        using var shard = TransformerShard.Load(model, new LayerRange(unit, unit + 1));
        for (var i = 0; i < chunks.Length; i++)
        {
            using var cache = shard.CreateCache(chunks[i].Length);
            shard.Forward([new ShardStep { Cache = cache, Count = chunks[i].Length, Tokens = chunks[i], Hidden = streams[i] }], team);
        }
    }

    private static double Relative(float[][] expected, float[][] actual)
    {
        var (difference, norm) = (0.0, 0.0);
        for (var i = 0; i < expected.Length; i++)
        {
            for (var j = 0; j < expected[i].Length; j++)
            {
                double error = (double)expected[i][j] - actual[i][j];
                difference += error * error;
                norm += (double)expected[i][j] * expected[i][j];
            }
        }

        return difference == 0 ? 0 : Math.Sqrt(difference / norm);
    }
}
