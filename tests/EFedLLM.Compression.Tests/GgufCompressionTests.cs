using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Compression.Tests;

public sealed class GgufCompressionTests : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void A_GGUF_file_becomes_a_model_that_needs_nothing_but_its_folder_and_has_the_checkpoint_s_weights()
    {
        using var original = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source"), keys: 2));
        var expected = Compressor.Run(original, _scratch.File("expected"), new CompressionSettings()).Manifest;
        var path = GgufCheckpoint.Write(_scratch.File("Small-F32.gguf"), original);
        using (var source = Checkpoint.Open(path))
        {
            Compressor.Run(source, _scratch.File("model"), new CompressionSettings { Threads = 1 });
        }

        var ids = ModelTokenizer.Load(path).Encode("abba");
        File.Delete(path);

        FactoredFiles.AssertSound(_scratch.File("model"));
        using var model = FactoredModel.Open(_scratch.File("model"));
        model.VerifyCompanions();
        Assert.Equal("Small-F32", model.Manifest.Name);
        Assert.Equal(expected.Files.AsEnumerable(), model.Manifest.Files.AsEnumerable());
        Assert.Equal(["config.json", "tokenizer.json", "tokenizer_config.json"], model.Manifest.Companions.Select(file => file.Name));
        Assert.Equal([2], model.Shape.EndTokens.AsEnumerable());
        Assert.Equal([3, 1, 0], ids);
        Assert.Equal(ids, ModelTokenizer.Load(model.Folder).Encode("abba"));
        Assert.Equal("plain", ChatTemplate.Recognise(model.Folder).Name);
    }

    [Fact]
    public void A_GGUF_file_is_compressed_once_and_then_found()
    {
        using var original = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        var path = GgufCheckpoint.Write(_scratch.File("small.gguf"), original);

        var first = ModelCache.GetOrCompress(path, _scratch.File("cache"), new CompressionSettings());
        var manifest = File.GetLastWriteTimeUtc(Path.Combine(first, ModelManifest.FileName));

        Assert.StartsWith("small-int8-", Path.GetFileName(first), StringComparison.Ordinal);
        Assert.Equal(first, ModelCache.GetOrCompress(path, _scratch.File("cache"), new CompressionSettings()));
        Assert.Equal(manifest, File.GetLastWriteTimeUtc(Path.Combine(first, ModelManifest.FileName)));
    }
}
