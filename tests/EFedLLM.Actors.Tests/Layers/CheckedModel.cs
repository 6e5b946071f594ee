using EFedLLM.Compression;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>A small factored model of random weights in a scratch folder: quantised, so that its kernels are those of a served one.</summary>
public sealed class CheckedModel : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-checked-").FullName;

    public CheckedModel()
    {
        RandomModel.Write(Shape, _folder, seed: 3);
        Source = FactoredModel.Open(_folder);
    }

    internal static ModelShape Shape { get; } = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 300,
        HiddenSize = 64,
        IntermediateSize = 128,
        Layers = 3,
        Heads = 4,
        KeyValueHeads = 2,
        HeadSize = 16,
        ContextLength = 256,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    internal IModelSource Source { get; }

    public void Dispose()
    {
        Source.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
