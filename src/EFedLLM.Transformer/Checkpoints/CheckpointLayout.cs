namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Names and shapes of a checkpoint's tensors, as Hugging Face's classes save them.</summary>
public static class CheckpointLayout
{
    /// <summary>The token embedding, [vocabulary, hidden].</summary>
    public const string Embedding = "model.embed_tokens.weight";

    /// <summary>Gain of the final norm, [hidden].</summary>
    public const string FinalNorm = "model.norm.weight";

    private const string UntiedHead = "lm_head.weight";

    /// <summary>The tensor of the output projection: the embedding where they are tied.</summary>
    public static string Head(ModelShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return shape.TiedEmbeddings ? Embedding : UntiedHead;
    }

    /// <summary>A tensor of a layer (0-based).</summary>
    public static string Layer(int layer, string name) => $"model.layers.{layer}.{name}";

    /// <summary>A checkpoint's name for a tensor of an encoder's unit, given its name in a factored model (of a matrix, with <c>.weight</c> or <c>.bias</c> behind it).</summary>
    public static string EncoderTensor(ModelShape shape, int unit, string name)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(name);
        return EncoderLayout.TensorOf(shape, unit, name);
    }

    /// <summary>The tensors that a unit computes with.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Tensors(ModelShape shape, int unit)
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Encoder is not null)
        {
            foreach (var tensor in EncoderLayout.Tensors(shape, unit))
            {
                yield return tensor;
            }

            yield break;
        }

        if (unit == 0)
        {
            yield return (Embedding, [shape.VocabularySize, shape.HiddenSize]);
            yield break;
        }

        if (unit == shape.Layers + 1)
        {
            yield return (FinalNorm, [shape.HiddenSize]);
            yield return (Head(shape), [shape.VocabularySize, shape.HiddenSize]);
            yield break;
        }

        var layer = unit - 1;
        yield return (Layer(layer, "input_layernorm.weight"), [shape.HiddenSize]);
        yield return (Layer(layer, "post_attention_layernorm.weight"), [shape.HiddenSize]);
        if (shape.QueryKeyNorm)
        {
            yield return (Layer(layer, "self_attn.q_norm.weight"), [shape.HeadSize]);
            yield return (Layer(layer, "self_attn.k_norm.weight"), [shape.HeadSize]);
        }

        foreach (var site in ManifestLayout.Sites(shape, unit))
        {
            yield return (Layer(layer, site.Name + ".weight"), [site.Outputs, site.Inputs]);
            if (site.HasBias)
            {
                yield return (Layer(layer, site.Name + ".bias"), [site.Outputs]);
            }
        }
    }

    /// <summary>Tensors of a layer that would change its result, but that the shape has no place for.</summary>
    public static IEnumerable<string> Unexpected(ModelShape shape, int layer)
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Encoder is not null)
        {
            yield break;
        }

        foreach (var site in ManifestLayout.Sites(shape, layer + 1).Where(site => !site.HasBias))
        {
            yield return Layer(layer, site.Name + ".bias");
        }

        if (!shape.QueryKeyNorm)
        {
            yield return Layer(layer, "self_attn.q_norm.weight");
            yield return Layer(layer, "self_attn.k_norm.weight");
        }
    }
}
