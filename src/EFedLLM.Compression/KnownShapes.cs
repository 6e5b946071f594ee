using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>Shapes of well-known models, by the size that people call them: for measurements with random weights.</summary>
public static class KnownShapes
{
    private static readonly Dictionary<string, ModelShape> Shapes = new(StringComparer.OrdinalIgnoreCase)
    {
        // SmolLM2-135M, TinyLlama-1.1B, Llama-2-7B.
        ["135m"] = Llama(vocabulary: 49152, hidden: 576, intermediate: 1536, layers: 30, heads: 9, keyValueHeads: 3, tied: true),
        ["1b"] = Llama(vocabulary: 32000, hidden: 2048, intermediate: 5632, layers: 22, heads: 32, keyValueHeads: 4, tied: false),
        ["7b"] = Llama(vocabulary: 32000, hidden: 4096, intermediate: 11008, layers: 32, heads: 32, keyValueHeads: 32, tied: false),
    };

    /// <summary>The names, smallest model first.</summary>
    public static IReadOnlyCollection<string> Names => Shapes.Keys;

    /// <summary>The shape of that name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists those there are.</exception>
    public static ModelShape Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Shapes.TryGetValue(name, out var shape)
            ? shape
            : throw new ArgumentException($"There is no shape \"{name}\": choose {string.Join(", ", Names)}.", nameof(name));
    }

    private static ModelShape Llama(int vocabulary, int hidden, int intermediate, int layers, int heads, int keyValueHeads, bool tied) => new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = vocabulary,
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        Layers = layers,
        Heads = heads,
        KeyValueHeads = keyValueHeads,
        HeadSize = hidden / heads,
        ContextLength = 2048,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
        TiedEmbeddings = tied,
        BeginToken = 1,
        EndTokens = [2],
    };
}
