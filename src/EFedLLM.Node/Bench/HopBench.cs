using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>Measures hops with next to nothing to compute between them: what a cluster's way of passing activations costs by itself.</summary>
internal static class HopBench
{
    /// <summary>What <see cref="BenchSample.Phase"/> says.</summary>
    public const string Phase = "8 KB hop";

    private const int Devices = 2;

    /// <summary>One layer a device, and rows of 2,048 float32 values: 8 KB.</summary>
    private static readonly ModelShape Shape = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 1536,
        HiddenSize = 2048,
        IntermediateSize = 64,
        Layers = Devices,
        Heads = 1,
        KeyValueHeads = 1,
        HeadSize = 64,
        ContextLength = 2048,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    /// <summary>Measures tokens that pass through two devices.</summary>
    /// <param name="folder">An empty folder for the model and the nodes' data.</param>
    /// <param name="settings">How often.</param>
    /// <param name="cancellation">Ends the cluster.</param>
    public static async Task<BenchSample> RunAsync(string folder, BenchSettings settings, CancellationToken cancellation)
    {
        using var model = FactoredModel.Open(BenchModel.Write(Shape, Path.Combine(folder, "model"), 8, "random-hops", null, cancellation));
        var samples = await ClusterBench.RunAsync(model, Devices, Path.Combine(folder, "nodes"), settings with { PromptTokens = 8, DecodeTokens = 1024 }, counting: true, cancellation);
        return samples.Single(sample => sample.Phase == "decode") with { Phase = Phase };
    }
}
