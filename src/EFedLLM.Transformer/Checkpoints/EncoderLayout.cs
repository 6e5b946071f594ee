using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>The encoder's part of <see cref="ManifestLayout"/> and <see cref="CheckpointLayout"/>: its matrices, its other tensors, and their names.</summary>
internal static class EncoderLayout
{
    private const string EmbeddingNorm = "embeddings.LayerNorm";
    private const string AttentionNorm = "attention.output.LayerNorm";
    private const string OutputNorm = "output.LayerNorm";
    private const string Prefix = "bert.";
    private const string Positions = "position_embeddings";
    private const string Types = "token_type_embeddings";
    private const string Pooler = "pooler.dense";
    private const string Classifier = "classifier";
    private const int BehindAttention = 4;

    /// <summary>The matrices of a unit, in execution order.</summary>
    public static ImmutableArray<ManifestSite> Sites(ModelShape shape, int unit)
    {
        var (encoder, hidden, feedForward) = (shape.Encoder!, shape.HiddenSize, shape.IntermediateSize);
        if (unit == 0)
        {
            return
            [
                new(ManifestLayout.Embedding, shape.VocabularySize, hidden, false, InputSite.Tokens),
                new(Positions, shape.ContextLength, hidden, false, InputSite.Tokens),
                new(Types, encoder.TokenTypes, hidden, false, InputSite.Tokens),
            ];
        }

        if (unit == shape.Layers + 1)
        {
            return encoder.Classes == 0 ? [] : [new(Pooler, hidden, hidden, true, InputSite.Head), new(Classifier, encoder.Classes, hidden, true, InputSite.Output)];
        }

        return
        [
            new("attention.self.query", hidden, hidden, true, InputSite.Attention),
            new("attention.self.key", hidden, hidden, true, InputSite.Attention),
            new("attention.self.value", hidden, hidden, true, InputSite.Attention),
            new("attention.output.dense", hidden, hidden, true, InputSite.Output),
            new("intermediate.dense", feedForward, hidden, true, InputSite.FeedForward),
            new("output.dense", hidden, feedForward, true, InputSite.Down),
        ];
    }

    /// <summary>The norms of a unit, each a gain and a bias.</summary>
    public static ImmutableArray<string> Norms(ModelShape shape, int unit) =>
        unit == 0 ? [EmbeddingNorm]
        : unit <= shape.Layers ? [AttentionNorm, OutputNorm]
        : [];

    /// <summary>Lays out a unit's file: its matrices with their biases, and each norm behind what it norms.</summary>
    /// <param name="shape">The model's shape.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="addMatrix">Adds a matrix, by its place in <see cref="Sites"/>, and its bias.</param>
    /// <param name="addVector">Adds a vector of the hidden size.</param>
    public static void LayOut(ModelShape shape, int unit, Action<int> addMatrix, Action<string> addVector)
    {
        var (sites, norms) = (Sites(shape, unit), Norms(shape, unit));
        for (var site = 0; site < sites.Length; site++)
        {
            addMatrix(site);
            if (norms.Length == 2 && site == BehindAttention - 1)
            {
                AddNorm(norms[0]);
            }
        }

        if (norms.Length > 0)
        {
            AddNorm(norms[^1]);
        }

        void AddNorm(string norm)
        {
            addVector(norm + ".weight");
            addVector(norm + ".bias");
        }
    }

    /// <summary>A checkpoint's name for a tensor of a unit. Checkpoints of the bare model leave the first word out.</summary>
    public static string TensorOf(ModelShape shape, int unit, string name)
    {
        if (unit == 0)
        {
            return Prefix + (name.StartsWith(EmbeddingNorm, StringComparison.Ordinal) ? name
                : "embeddings." + (name.StartsWith(ManifestLayout.Embedding + ".", StringComparison.Ordinal) ? "word_embeddings.weight" : name));
        }

        return unit <= shape.Layers ? $"{Prefix}encoder.layer.{unit - 1}.{name}"
            : name.StartsWith(Classifier, StringComparison.Ordinal) ? name
            : Prefix + name;
    }

    /// <summary>The other spelling of a tensor's name: without the first word.</summary>
    public static string Bare(string tensor) => tensor.StartsWith(Prefix, StringComparison.Ordinal) ? tensor[Prefix.Length..] : tensor;

    /// <summary>The checkpoint's tensors that a unit computes with.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Tensors(ModelShape shape, int unit)
    {
        foreach (var site in Sites(shape, unit))
        {
            yield return (TensorOf(shape, unit, site.Name + ".weight"), [site.Outputs, site.Inputs]);
            if (site.HasBias)
            {
                yield return (TensorOf(shape, unit, site.Name + ".bias"), [site.Outputs]);
            }
        }

        foreach (var norm in Norms(shape, unit))
        {
            yield return (TensorOf(shape, unit, norm + ".weight"), [shape.HiddenSize]);
            yield return (TensorOf(shape, unit, norm + ".bias"), [shape.HiddenSize]);
        }
    }

    /// <summary>Parameters of a checkpoint of that shape.</summary>
    public static long Parameters(ModelShape shape) =>
        Enumerable.Range(0, shape.Units).SelectMany(unit => Tensors(shape, unit)).Sum(tensor => tensor.Shape.Aggregate(1L, (product, dimension) => product * dimension));
}
