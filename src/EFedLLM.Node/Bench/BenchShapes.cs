using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>Shapes of well-known sizes, to measure with random weights where there is no checkpoint.</summary>
internal static class BenchShapes
{
    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Names { get; } = ["135m", "1b"];

    /// <summary>The shape of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static ModelShape Named(string name) => name switch
    {
        "135m" => Shape(vocabulary: 49152, hidden: 576, intermediate: 1536, layers: 30, heads: 9, keyValueHeads: 3, headSize: 64),
        "1b" => Shape(vocabulary: 32000, hidden: 2048, intermediate: 5632, layers: 22, heads: 32, keyValueHeads: 4, headSize: 64),
        _ => throw new ArgumentException($"There is no shape {name}; there are {string.Join(", ", Names)}.", nameof(name)),
    };

    private static ModelShape Shape(int vocabulary, int hidden, int intermediate, int layers, int heads, int keyValueHeads, int headSize) => new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = vocabulary,
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        Layers = layers,
        Heads = heads,
        KeyValueHeads = keyValueHeads,
        HeadSize = headSize,
        ContextLength = 2048,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
        BeginToken = 1,
        EndTokens = [2],
    };
}
