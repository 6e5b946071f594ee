using EFedLLM.Compression;
using EFedLLM.Node.Models;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>Models of random weights, for which only time counts.</summary>
internal static class BenchModel
{
    /// <summary>Writes one that a gateway can serve, and returns its folder.</summary>
    public static string Write(ModelShape shape, string folder, string name, IProgress<CompressionProgress>? progress, CancellationToken cancellation)
    {
        var target = RandomModel.Write(shape, folder, 1, name, progress, cancellation).Folder;

        // A gateway needs some tokenizer; which, makes no difference to the time of a token.
        File.Copy(Path.Combine(ModelFolders.Bundled, "tokenizer.json"), Path.Combine(target, "tokenizer.json"));
        return target;
    }
}
