using EFedLLM.Compression;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Blobs;

/// <summary>A real factored model of random weights in a scratch folder, whose files have many pieces.</summary>
public sealed class BlobModel : IDisposable
{
    /// <summary>The least that a setting allows.</summary>
    public const int PieceBytes = 64 << 10;

    public BlobModel()
    {
        Folder = Directory.CreateTempSubdirectory("efedllm-model-").FullName;
        RandomModel.Write(Shape, Folder, seed: 7);
        Json = File.ReadAllBytes(Path.Combine(Folder, ModelManifest.FileName));
        (Manifest, Id) = (ModelManifest.Parse(Json), ModelManifest.IdOf(Json));
    }

    public string Folder { get; }

    public byte[] Json { get; }

    public ModelManifest Manifest { get; }

    public ModelId Id { get; }

    public LayerRange Whole => LayerRange.Whole(Shape.Layers);

    private static ModelShape Shape { get; } = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 512,
        HiddenSize = 256,
        IntermediateSize = 768,
        Layers = 3,
        Heads = 4,
        KeyValueHeads = 4,
        HeadSize = 64,
        ContextLength = 64,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    public byte[] FileOf(int unit) => File.ReadAllBytes(Path.Combine(Folder, Manifest.Files[unit].Name));

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
