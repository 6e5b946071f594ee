using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>What a batch must be before anything of it is computed.</summary>
internal static class BatchRules
{
    /// <summary>Checks a batch and counts its rows.</summary>
    /// <exception cref="ArgumentException">A step does not fit the shard or another step; the message says which and why.</exception>
    /// <exception cref="NonFiniteStepException">A step's input is not finite.</exception>
    public static (int Rows, int LogitRows) Check(ReadOnlySpan<ShardStep> steps, ModelShape shape, LayerRange range)
    {
        if (steps.IsEmpty)
        {
            throw new ArgumentException("A batch needs at least one step.", nameof(steps));
        }

        long rows = 0, logitRows = 0;
        for (var i = 0; i < steps.Length; i++)
        {
            Check(steps, i, shape, range);
            rows += steps[i].Count;
            logitRows += range.HasHead(shape.Layers) ? steps[i].LogitRows : 0;
        }

        if (rows > int.MaxValue / 2)
        {
            throw new ArgumentException($"A batch of {rows} rows is too large: cut it into smaller ones.", nameof(steps));
        }

        if (!range.HasEmbedding)
        {
            CheckFinite(steps);
        }

        return ((int)rows, (int)logitRows);
    }

    private static void Check(ReadOnlySpan<ShardStep> steps, int index, ModelShape shape, LayerRange range)
    {
        var step = steps[index] ?? throw new ArgumentException($"Step {index} is null.", nameof(steps));
        var cache = step.Cache ?? throw new ArgumentException($"Step {index} has no cache.", nameof(steps));
        if (!ReferenceEquals(cache.Shape, shape) || cache.Range != range)
        {
            throw new ArgumentException($"The cache of step {index} belongs to another model or to the range {cache.Range} instead of {range}: create it with this shard.", nameof(steps));
        }

        for (var other = 0; other < index; other++)
        {
            if (ReferenceEquals(steps[other].Cache, cache))
            {
                throw new ArgumentException($"Steps {other} and {index} use the same cache: compute them one after the other.", nameof(steps));
            }
        }

        if (step.Count < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(steps), step.Count, $"Step {index} must have at least one position.");
        }

        cache.CheckRoom(step.Count);
        var hidden = (long)step.Count * shape.HiddenSize;
        var maySkipHidden = range.HasEmbedding && range.HasHead(shape.Layers) && step.Hidden.IsEmpty;
        if (step.Hidden.Length != hidden && !maySkipHidden)
        {
            throw new ArgumentException($"Step {index} has {step.Hidden.Length} hidden values instead of {step.Count} x {shape.HiddenSize}.", nameof(steps));
        }

        if (range.HasEmbedding)
        {
            CheckTokens(step, index, shape);
        }

        if (shape.Encoder is not null)
        {
            EncoderRules.Check(step, index, shape, range.HasHead(shape.Layers));
        }
        else if (range.HasHead(shape.Layers))
        {
            CheckLogits(step, index, shape);
        }
    }

    private static void CheckTokens(ShardStep step, int index, ModelShape shape)
    {
        if (step.Tokens.Length != step.Count)
        {
            throw new ArgumentException($"Step {index} has {step.Tokens.Length} tokens for {step.Count} positions.", nameof(step));
        }

        foreach (var token in step.Tokens.Span)
        {
            if ((uint)token >= (uint)shape.VocabularySize)
            {
                throw new ArgumentOutOfRangeException(nameof(step), token, $"Step {index} has a token outside of the vocabulary of {shape.VocabularySize}.");
            }
        }
    }

    private static void CheckLogits(ShardStep step, int index, ModelShape shape)
    {
        if (step.LogitRows < 0 || step.LogitRows > step.Count)
        {
            throw new ArgumentOutOfRangeException(nameof(step), step.LogitRows, $"Step {index} asks for logits of {step.LogitRows} of {step.Count} positions.");
        }

        if (step.Logits.Length < (long)step.LogitRows * shape.VocabularySize)
        {
            throw new ArgumentException($"Step {index} has room for {step.Logits.Length} logits instead of {step.LogitRows} x {shape.VocabularySize}.", nameof(step));
        }
    }

    private static void CheckFinite(ReadOnlySpan<ShardStep> steps)
    {
        for (var i = 0; i < steps.Length; i++)
        {
            if (!FloatKernels.Best.IsFinite(steps[i].Hidden.Span))
            {
                throw new NonFiniteStepException(i, $"The input of step {i} has a value that is not finite.");
            }
        }
    }
}
