using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>What an encoder's weights and steps must be, whatever source they come from: the kernels do not look again.</summary>
internal static class EncoderRules
{
    /// <exception cref="InvalidDataException">A weight has another width than the model's shape calls for.</exception>
    public static EncoderEmbeddingWeights Check(EncoderEmbeddingWeights embedding, ModelShape shape)
    {
        Table(embedding.Words, shape.VocabularySize, shape, "word");
        Table(embedding.Positions, shape.ContextLength, shape, "position");
        Table(embedding.Types, shape.Encoder!.TokenTypes, shape, "token-type");
        Norm(embedding.Norm, shape, "The embedding", "norm");
        return embedding;
    }

    /// <exception cref="InvalidDataException">A weight has another width than the model's shape calls for.</exception>
    public static EncoderLayerWeights Check(EncoderLayerWeights layer, ModelShape shape, int index)
    {
        var place = $"Layer {index}";
        Linear(layer.Query, shape.HiddenSize, shape.HiddenSize, place, "query projection");
        Linear(layer.Key, shape.HiddenSize, shape.HiddenSize, place, "key projection");
        Linear(layer.Value, shape.HiddenSize, shape.HiddenSize, place, "value projection");
        Linear(layer.AttentionOutput, shape.HiddenSize, shape.HiddenSize, place, "attention output projection");
        Norm(layer.AttentionNorm, shape, place, "norm behind attention");
        Linear(layer.Intermediate, shape.HiddenSize, shape.IntermediateSize, place, "intermediate projection");
        Linear(layer.Output, shape.IntermediateSize, shape.HiddenSize, place, "output projection");
        Norm(layer.OutputNorm, shape, place, "norm behind the feed-forward block");
        return layer;
    }

    /// <exception cref="InvalidDataException">A weight has another width than the model's shape calls for.</exception>
    public static EncoderHeadWeights Check(EncoderHeadWeights head, ModelShape shape)
    {
        if (shape.Encoder!.Classes > 0)
        {
            Linear(head.Pooler, shape.HiddenSize, shape.HiddenSize, "The head", "pooler");
            Linear(head.Classifier, shape.HiddenSize, shape.Encoder.Classes, "The head", "classifier");
        }

        return head;
    }

    /// <summary>Checks that a step is a whole sequence, and that its head can give what is asked for.</summary>
    /// <exception cref="ArgumentException">It is not, or cannot; the message says why.</exception>
    public static void Check(ShardStep step, int index, ModelShape shape, bool hasHead)
    {
        if (step.Cache.Length != 0)
        {
            throw new ArgumentException($"Step {index} continues a sequence of {step.Cache.Length} positions, but an encoder computes a sequence as a whole: feed it in one step.", nameof(step));
        }

        if (!hasHead || step.Output == SequenceOutput.None)
        {
            return;
        }

        var width = shape.OutputWidth(step.Output);
        if (width == 0)
        {
            throw new ArgumentException($"Step {index} asks for {step.Output}, which {shape.Architecture} does not give.", nameof(step));
        }

        if (step.Logits.Length < width)
        {
            throw new ArgumentException($"Step {index} has room for {step.Logits.Length} values instead of {width}.", nameof(step));
        }
    }

    private static void Table(IEmbedding table, int rows, ModelShape shape, string name)
    {
        if ((table.Rows, table.Width) != (rows, shape.HiddenSize))
        {
            throw new InvalidDataException($"The {name} embedding is {table.Rows} x {table.Width}, but the model's shape calls for {rows} x {shape.HiddenSize}.");
        }
    }

    private static void Norm(LayerNormWeights norm, ModelShape shape, string place, string name)
    {
        if (norm.Gain.Length != shape.HiddenSize || norm.Bias.Length != shape.HiddenSize)
        {
            throw new InvalidDataException($"{place}: the {name} has {norm.Gain.Length} gains and {norm.Bias.Length} biases, but the model's shape calls for {shape.HiddenSize}.");
        }
    }

    private static void Linear(LinearLayer? matrix, int inputs, int outputs, string place, string name)
    {
        if (matrix is null || (matrix.Inputs, matrix.Outputs) != (inputs, outputs))
        {
            throw new InvalidDataException($"{place}: the {name} {(matrix is null ? "is missing" : $"maps {matrix.Inputs} to {matrix.Outputs}")}, but the model's shape calls for {inputs} to {outputs}.");
        }
    }
}
