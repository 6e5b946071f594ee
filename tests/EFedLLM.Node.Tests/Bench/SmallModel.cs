using EFedLLM.Compression;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Tests.Bench;

/// <summary>A model of random weights that is computed in no time, in a folder of its own.</summary>
internal sealed class SmallModel : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-small-").FullName;

    /// <summary>Writes it.</summary>
    /// <param name="hidden">Its width: where it is no multiple of 32, groups are filled up.</param>
    public SmallModel(int hidden = 64)
    {
        RandomModel.Write(ShapeOf(hidden), Path.Combine(_folder, "model"), seed: 1, name: "small");
        Model = FactoredModel.Open(Path.Combine(_folder, "model"));
    }

    public FactoredModel Model { get; }

    public void Dispose()
    {
        Model.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static ModelShape ShapeOf(int hidden) => new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 96,
        HiddenSize = hidden,
        IntermediateSize = 128,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 2,
        HeadSize = 16,
        ContextLength = 64,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };
}
