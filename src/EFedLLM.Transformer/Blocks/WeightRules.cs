using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>The widths that weights must have, whatever source they come from: the kernels do not look again.</summary>
internal static class WeightRules
{
    /// <exception cref="InvalidDataException">A weight has another width than the model's shape calls for.</exception>
    public static LayerWeights Check(LayerWeights layer, ModelShape shape, int index)
    {
        var (queries, keys) = (shape.Heads * shape.HeadSize, shape.KeyValueHeads * shape.HeadSize);
        var place = $"Layer {index}";
        Norm(layer.InputNorm, shape.HiddenSize, place, "input norm");
        Norm(layer.PostAttentionNorm, shape.HiddenSize, place, "post-attention norm");
        HeadNorm(layer.QueryNorm, shape, place, "query norm");
        HeadNorm(layer.KeyNorm, shape, place, "key norm");
        Linear(layer.Query, shape.HiddenSize, queries, place, "query projection");
        Linear(layer.Key, shape.HiddenSize, keys, place, "key projection");
        Linear(layer.Value, shape.HiddenSize, keys, place, "value projection");
        Linear(layer.Output, queries, shape.HiddenSize, place, "output projection");
        Linear(layer.Gate, shape.HiddenSize, shape.IntermediateSize, place, "gate projection");
        Linear(layer.Up, shape.HiddenSize, shape.IntermediateSize, place, "up projection");
        Linear(layer.Down, shape.IntermediateSize, shape.HiddenSize, place, "down projection");
        return layer;
    }

    /// <exception cref="InvalidDataException">A weight has another width than the model's shape calls for.</exception>
    public static HeadWeights Check(HeadWeights head, ModelShape shape)
    {
        Norm(head.Norm, shape.HiddenSize, "The head", "norm");
        Linear(head.Projection, shape.HiddenSize, shape.VocabularySize, "The head", "projection");
        return head;
    }

    /// <exception cref="InvalidDataException">The table has another size than the model's shape calls for.</exception>
    public static IEmbedding Check(IEmbedding embedding, ModelShape shape) =>
        (embedding.Rows, embedding.Width) == (shape.VocabularySize, shape.HiddenSize)
            ? embedding
            : throw new InvalidDataException($"The embedding is {embedding.Rows} x {embedding.Width}, but the model's shape calls for {shape.VocabularySize} x {shape.HiddenSize}.");

    private static void HeadNorm(float[]? gain, ModelShape shape, string place, string name)
    {
        if (gain is null == shape.QueryKeyNorm)
        {
            throw new InvalidDataException($"{place}: the {name} is {(gain is null ? "missing" : "not part of the model's shape")}.");
        }

        if (gain is not null)
        {
            Norm(gain, shape.HeadSize, place, name);
        }
    }

    private static void Norm(float[] gain, int width, string place, string name)
    {
        if (gain.Length != width)
        {
            throw new InvalidDataException($"{place}: the {name} has {gain.Length} values, but the model's shape calls for {width}.");
        }
    }

    private static void Linear(LinearLayer matrix, int inputs, int outputs, string place, string name)
    {
        if ((matrix.Inputs, matrix.Outputs) != (inputs, outputs))
        {
            throw new InvalidDataException($"{place}: the {name} maps {matrix.Inputs} to {matrix.Outputs}, but the model's shape calls for {inputs} to {outputs}.");
        }
    }
}
