namespace EFedLLM.Compression.Tests;

public sealed class ModelCacheTests : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    private string Root => _scratch.File("cache");

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void A_model_is_made_once_and_then_found()
    {
        var source = SmallCheckpoint.Write(_scratch.File("source"));
        var reports = 0;
        var first = ModelCache.GetOrCompress(source, Root, new CompressionSettings(), new Counter(() => reports++));
        FactoredFiles.AssertSound(first);
        Assert.True(reports > 0);
        var made = reports;
        Assert.Equal(first, ModelCache.GetOrCompress(source + "/", Root, new CompressionSettings { Threads = 1 }, new Counter(() => reports++)));
        Assert.Equal(made, reports);
    }

    [Fact]
    public void Whatever_changes_the_result_changes_the_place()
    {
        var source = SmallCheckpoint.Write(_scratch.File("source"));
        var settings = new CompressionSettings();
        var svd = new CompressionSettings { Profile = CompressionProfile.Svd };
        var folders = new List<string>
        {
            Get(source, settings), Get(source, settings with { Group = 64 }), Get(source, svd), Get(source, svd with { Keep = 0.5 }), Get(source, settings with { Name = "other" }),
            Get(SmallCheckpoint.Write(_scratch.File("again/source"), seed: 5), settings),
        };
        File.WriteAllText(Path.Combine(source, "tokenizer.json"), "{ }");
        folders.Add(Get(source, settings));
        Assert.Equal(folders.Count, folders.Distinct().Count());
        // The share means nothing to a profile that does not factor.
        Assert.Equal(folders[^1], Get(source, settings with { Keep = 0.1 }));

        string Get(string from, CompressionSettings with) => ModelCache.GetOrCompress(from, Root, with);
    }

    [Theory]
    [InlineData("layer-0000.safetensors")]
    [InlineData("manifest.json")]
    [InlineData("tokenizer.json")]
    public void An_entry_that_is_not_whole_is_made_again(string file)
    {
        var source = SmallCheckpoint.Write(_scratch.File("source"));
        var folder = ModelCache.GetOrCompress(source, Root, new CompressionSettings());
        using (var damaged = File.OpenWrite(Path.Combine(folder, file)))
        {
            damaged.SetLength(damaged.Length / 2);
        }

        Assert.Equal(folder, ModelCache.GetOrCompress(source, Root, new CompressionSettings()));
        FactoredFiles.AssertSound(folder);
        Assert.Equal([folder], Directory.EnumerateFileSystemEntries(Root));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Many_at_once_agree_on_one_whole_model(bool damaged)
    {
        const int Count = 6;
        var source = SmallCheckpoint.Write(_scratch.File("source"));
        if (damaged)
        {
            File.Delete(Path.Combine(ModelCache.GetOrCompress(source, Root, new CompressionSettings()), "manifest.json"));
        }

        using var start = new Barrier(Count);
        var folders = await Task.WhenAll(Enumerable.Range(0, Count).Select(_ => Task.Factory.StartNew(
            () =>
            {
                start.SignalAndWait();
                return ModelCache.GetOrCompress(source, Root, new CompressionSettings());
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        Assert.Single(folders.Distinct());
        FactoredFiles.AssertSound(folders[0]);
        Assert.Equal([folders[0]], Directory.EnumerateFileSystemEntries(Root));
    }

    private sealed class Counter(Action count) : IProgress<CompressionProgress>
    {
        public void Report(CompressionProgress value) => count();
    }
}
