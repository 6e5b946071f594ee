using EFedLLM.Compression.Evaluation;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Tests;

/// <summary>The calibrated profile on a real model, with a part of a text that takes seconds.</summary>
public sealed class CalibratedCompressorTests : IDisposable
{
    private const string Model = "stories260K";
    private const int TextLength = 12_000;

    private readonly ScratchFolder _scratch = new();

    private static CompressionSettings Settings => new()
    {
        Profile = CompressionProfile.Calibrated,
        CalibrationText = File.ReadAllText(SharedModels.Data("tinystories/tinystories-excerpt.txt"))[..TextLength],
        StartToken = 1,
        Threads = 2,
    };

    private string Target => _scratch.File("model");

    public void Dispose() => _scratch.Dispose();

    [SharedFact]
    public void Without_a_flag_it_reads_at_most_40_percent_of_the_bytes_and_hardly_loses_on_other_texts()
    {
        using var source = Checkpoint.Open(SharedModels.Model(Model));
        var result = Compressor.Run(source, Target, Settings);
        FactoredFiles.AssertSound(Target);
        Assert.InRange(result.Manifest.BitsPerWeight, 6, 6.4);
        Assert.Equal(result.Plan!.BitsPerWeight, result.Manifest.BitsPerWeight, 1e-9);
        Assert.Equal(result.Plan.Forms.AsEnumerable(), result.Manifest.Matrices.AsEnumerable());
        Assert.Equal("calibrated", result.Manifest.Profile);
        Assert.InRange(result.Manifest.Calibration!.Tokens, 1000, 7500);
        Assert.InRange(result.Manifest.Quality!.Perplexity / result.Manifest.Quality.ReferencePerplexity, 0.98, 1.03);
        Assert.All(result.Times!.ByName, stage => Assert.True(stage.Time > TimeSpan.Zero, stage.Stage));

        using var model = FactoredModel.Open(Target);
        using var team = new ComputeTeam(2);
        foreach (var text in new[] { "wikitext-2-raw/wiki.test.raw", "shakespeare/tinyshakespeare.txt" })
        {
            var (settings, words) = (new EvalSettings(1, 0, 4096), File.ReadAllText(SharedModels.Data(text)));
            var (reference, compressed) = (Evaluator.Run(source, words, settings, team), Evaluator.Run(model, words, settings, team));
            Assert.InRange(compressed.Perplexity / reference.Perplexity, 0.97, 1.03);
        }
    }

    [SharedFact]
    public void Threads_change_no_byte()
    {
        using var source = Checkpoint.Open(SharedModels.Model(Model));
        var (one, three) = (Compressor.Run(source, _scratch.File("one"), Settings with { Threads = 1 }), Compressor.Run(source, _scratch.File("three"), Settings with { Threads = 3 }));
        Assert.Equal(one.Id, three.Id);
        Assert.Equal(FactoredFiles.Hashes(one.Folder), FactoredFiles.Hashes(three.Folder));
    }

    [SharedFact]
    public void A_run_that_is_cancelled_leaves_no_target_and_the_next_one_goes_on_to_the_same_result()
    {
        using var source = Checkpoint.Open(SharedModels.Model(Model));
        var expected = Compressor.Run(source, _scratch.File("whole"), Settings with { Name = "model" }).Id;
        foreach (var step in new[] { 3, source.Shape.Units + 3, 2 * source.Shape.Units })
        {
            using var cancellation = new CancellationTokenSource();
            var steps = 0;
            Assert.ThrowsAny<OperationCanceledException>(() => Compressor.Run(source, Target, Settings with { Name = "model" }, new Listener(_ =>
            {
                if (++steps == step)
                {
                    cancellation.Cancel();
                }
            }), cancellation.Token));
            Assert.False(Directory.Exists(Target));
        }

        Assert.Single(Directory.EnumerateDirectories(_scratch.Path, ".model.resume-*"));
        var stages = new List<string>();
        var result = Compressor.Run(source, Target, Settings with { Name = "model" }, new Listener(report => stages.Add(report.Stage)));
        Assert.Equal(expected, result.Id);
        Assert.Contains("layer 1: compressed before", stages);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_scratch.Path, ".*"));
        Assert.True(Compressor.Run(source, Target, Settings with { Name = "model" }).AlreadyThere);
    }

    [SharedFact]
    public void A_plan_writes_nothing_and_more_bits_are_predicted_to_lose_less()
    {
        using var source = Checkpoint.Open(SharedModels.Model(Model));
        var (less, more) = (Compressor.Plan(source, Settings with { TargetBits = 5 }), Compressor.Plan(source, Settings with { TargetBits = 7 }));
        Assert.InRange(less.BitsPerWeight, 4.8, 5);
        Assert.InRange(more.BitsPerWeight, 6.8, 7);
        Assert.True(less.Loss > 2 * more.Loss);
        Assert.True(less.BranchesTried > 0);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_scratch.Path));
    }

    [SharedFact]
    public void A_size_and_a_loss_are_kept()
    {
        using var source = Checkpoint.Open(SharedModels.Model(Model));
        var bySize = Compressor.Run(source, _scratch.File("size"), Settings with { TargetSize = 220_000 });
        Assert.InRange(bySize.Manifest.TotalBytes, 210_000, 220_000);
        var byLoss = Compressor.Run(source, _scratch.File("loss"), Settings with { MaxLoss = 0.05 });
        Assert.InRange(byLoss.Manifest.Quality!.Perplexity / byLoss.Manifest.Quality.ReferencePerplexity, 0.9, 1.05);
        Assert.InRange(byLoss.Manifest.BitsPerWeight, 4.5, 6.3);
    }

    [SharedFact]
    public void What_cannot_be_met_says_the_nearest_that_can()
    {
        using var source = Checkpoint.Open(SharedModels.Model(Model));
        AssertRefused(Settings with { TargetBits = 2 }, "the nearest is 4.");
        AssertRefused(Settings with { TargetSize = 1000 }, "the nearest is 1");
        AssertRefused(Settings with { CalibrationText = "Once upon a time" }, "at least 256");

        void AssertRefused(CompressionSettings settings, string words)
        {
            var error = Assert.Throws<InvalidDataException>(() => Compressor.Run(source, Target, settings));
            Assert.Contains(words, error.Message, StringComparison.Ordinal);
            Assert.False(Directory.Exists(Target));
        }
    }

    [SharedFact]
    public void Weights_that_are_not_finite_are_named()
    {
        var folder = Directory.CreateDirectory(_scratch.File("broken")).FullName;
        foreach (var file in Directory.EnumerateFiles(SharedModels.Model(Model)))
        {
            File.WriteAllBytes(Path.Combine(folder, Path.GetFileName(file)), File.ReadAllBytes(file));
        }

        var path = Path.Combine(folder, "model.safetensors");
        long last;
        using (var file = SafetensorsFile.Open(path))
        {
            var tensor = file.Tensors["model.layers.3.mlp.up_proj.weight"];
            last = tensor.Offset + tensor.Bytes - sizeof(float);
        }

        var bytes = File.ReadAllBytes(path);
        BitConverter.TryWriteBytes(bytes.AsSpan((int)last), float.NaN);
        File.WriteAllBytes(path, bytes);

        using var source = Checkpoint.Open(folder);
        var error = Assert.Throws<InvalidDataException>(() => Compressor.Run(source, Target, Settings));
        Assert.Contains("model.layers.3.mlp.up_proj.weight", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_scratch.Path, ".*"));
    }

    private sealed class Listener(Action<CompressionProgress> listen) : IProgress<CompressionProgress>
    {
        public void Report(CompressionProgress value) => listen(value);
    }
}
