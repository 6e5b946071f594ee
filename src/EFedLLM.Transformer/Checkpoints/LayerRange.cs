namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// A contiguous range <c>[First, End)</c> of a model's units in execution order: unit 0 is the embedding, units
/// 1 to L are the transformer layers 0 to L-1, unit L+1 is the head (final norm and output projection).
/// </summary>
/// <param name="First">The first unit.</param>
/// <param name="End">One past the last unit.</param>
public readonly record struct LayerRange(int First, int End)
{
    /// <summary>The whole of a model with <paramref name="layers"/> transformer layers.</summary>
    public static LayerRange Whole(int layers) => new(0, layers + 2);

    /// <summary>How many units the range holds.</summary>
    public int Count => End - First;

    /// <summary>Whether the range begins with the embedding, so that its input is token ids.</summary>
    public bool HasEmbedding => First == 0;

    /// <summary>Whether the range ends with the head of a model of <paramref name="layers"/> layers, so that its output is logits.</summary>
    public bool HasHead(int layers) => End == layers + 2;

    /// <summary>The first transformer layer (0-based) of the range.</summary>
    public int FirstLayer => Math.Max(First - 1, 0);

    /// <summary>One past the last transformer layer (0-based) of the range, in a model of <paramref name="layers"/> layers.</summary>
    public int EndLayer(int layers) => Math.Min(End - 1, layers);

    /// <summary>Whether the range is a non-empty part of a model of <paramref name="layers"/> layers.</summary>
    public bool IsValid(int layers) => First >= 0 && First < End && End <= layers + 2;

    /// <summary>The range in words, as people read it in tables: for example <c>embedding + layers 0-2</c>.</summary>
    public string Describe(int layers)
    {
        var parts = new List<string>(3);
        if (HasEmbedding)
        {
            parts.Add("embedding");
        }

        var (first, end) = (FirstLayer, EndLayer(layers));
        if (end - first == 1)
        {
            parts.Add($"layer {first}");
        }
        else if (end > first)
        {
            parts.Add($"layers {first}-{end - 1}");
        }

        if (HasHead(layers))
        {
            parts.Add("head");
        }

        return string.Join(" + ", parts);
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{First}, {End})";
}
