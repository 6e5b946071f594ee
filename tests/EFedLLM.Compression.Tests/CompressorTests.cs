using EFedLLM.Compression.Tests.Quantization;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Tests;

public sealed class CompressorTests : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    private string Target => _scratch.File("model");

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(CompressionProfile.Int8, false, 4)]
    [InlineData(CompressionProfile.Int8, true, 2)]
    [InlineData(CompressionProfile.Svd, true, 4)]
    public void Every_file_holds_what_the_manifest_and_the_checkpoint_say(CompressionProfile profile, bool tied, int keys)
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source"), tied, keys));
        var result = Compressor.Run(source, Target, new CompressionSettings { Profile = profile, Keep = 1 });
        Assert.False(result.AlreadyThere);
        Assert.Equal(Target, result.Folder);
        Assert.Equal(ModelManifest.IdOf(File.ReadAllBytes(Path.Combine(Target, "manifest.json"))), result.Id);
        FactoredFiles.AssertSound(Target);
        Assert.Equal("source", result.Manifest.Name);
        Assert.Equal(["config.json", "tokenizer.json"], result.Manifest.Companions.Select(file => file.Name));
        Assert.Equal(result.Manifest.ReadBytesPerToken * 8.0 / ManifestLayout.ParametersPerToken(source.Shape), result.Manifest.BitsPerWeight, 1e-12);
        Assert.Equal(result.Manifest.TotalBytes, result.Manifest.Files.Sum(file => new FileInfo(Path.Combine(Target, file.Name)).Length));
        foreach (var form in result.Manifest.Matrices)
        {
            // An 8-bit base errs by a few parts in 1e5; at keep 1 a factored matrix of noise loses a few percent.
            var bound = form.Rank > 0 ? 0.2 : 5e-5;
            Assert.InRange(FactoredFiles.RelativeError(Original(source, form), FactoredFiles.Matrix(Target, form)), 0, bound);
        }

        for (var layer = 0; layer < source.Shape.Layers; layer++)
        {
            using var file = SafetensorsFile.Open(Path.Combine(Target, ManifestLayout.FileName(layer + 1, source.Shape.Layers)));
            foreach (var (name, length) in new[] { ("input_layernorm.weight", 40), ("post_attention_layernorm.weight", 40), ("self_attn.q_proj.bias", 40) })
            {
                var values = new float[length];
                file.ReadFloat32(name, values);
                Assert.Equal(source.Read(CheckpointLayout.Layer(layer, name), length), values);
            }
        }
    }

    [Theory]
    [InlineData(CompressionProfile.Int8)]
    [InlineData(CompressionProfile.Svd)]
    public void What_was_written_opens_verifies_and_computes_what_the_checkpoint_computes(CompressionProfile profile)
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        Compressor.Run(source, Target, new CompressionSettings { Profile = profile, Keep = 1 });
        using var model = FactoredModel.Open(Target);
        for (var unit = 0; unit < model.Shape.Units; unit++)
        {
            model.Verify(unit);
        }

        model.VerifyCompanions();
        using var team = new ComputeTeam(1);
        var bound = profile == CompressionProfile.Svd ? 0.25 : 1e-4;
        for (var layer = 0; layer < source.Shape.Layers; layer++)
        {
            var (expected, actual) = (source.LoadLayer(layer), model.LoadLayer(layer));
            Assert.Equal(expected.InputNorm, actual.InputNorm);
            Assert.Equal(expected.PostAttentionNorm, actual.PostAttentionNorm);
            foreach (var pick in (Func<LayerWeights, LinearLayer>[])[w => w.Query, w => w.Key, w => w.Value, w => w.Output, w => w.Gate, w => w.Up, w => w.Down])
            {
                AssertClose(pick(expected), pick(actual), team, bound);
            }
        }

        AssertClose(source.LoadHead().Projection, model.LoadHead().Projection, team, 1e-4);
    }

    [SharedTheory]
    [InlineData("efed-mini")]
    [InlineData("stories260K")]
    [InlineData("stories3M")]
    [InlineData("babyllama-105")]
    public void Eight_bits_hold_every_matrix_of_a_real_model_to_a_few_parts_in_a_hundred_thousand(string model)
    {
        using var source = Checkpoint.Open(SharedModels.Model(model));
        var result = Compressor.Run(source, Target, new CompressionSettings());
        FactoredFiles.AssertSound(Target);
        foreach (var form in result.Manifest.Matrices)
        {
            Assert.InRange(FactoredFiles.RelativeError(Original(source, form), FactoredFiles.Matrix(Target, form)), 0, 6e-5);
        }
    }

    [SharedTheory]
    [InlineData("stories3M")]
    public void A_factored_model_reports_the_rank_and_the_bits_it_has(string model)
    {
        using var source = Checkpoint.Open(SharedModels.Model(model));
        var result = Compressor.Run(source, Target, new CompressionSettings { Profile = CompressionProfile.Svd, Keep = 0.4 });
        FactoredFiles.AssertSound(Target);
        Assert.Equal("svd", result.Manifest.Profile);
        Assert.InRange(result.Manifest.BitsPerWeight, 4, 8);
        var factored = result.Manifest.Matrices.Where(form => form.Rank > 0).ToList();
        Assert.Equal(source.Shape.Layers * 5, factored.Count);
        foreach (var form in factored)
        {
            Assert.Null(form.Base);
            Assert.InRange((double)form.Rank * (form.Outputs + form.Inputs) / ((double)form.Outputs * form.Inputs), 0.38, 0.4);
            Assert.InRange(FactoredFiles.RelativeError(Original(source, form), FactoredFiles.Matrix(Target, form)), 0, 0.6);
        }

        Assert.All(result.Manifest.Matrices.Where(form => form.Name is "embed" or "lm_head" or "self_attn.k_proj" or "self_attn.v_proj"), form => Assert.Equal(0, form.Rank));
    }

    [Theory]
    [InlineData(CompressionProfile.Int8)]
    [InlineData(CompressionProfile.Svd)]
    public void The_same_input_gives_the_same_bytes_on_any_number_of_threads(CompressionProfile profile)
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        var settings = new CompressionSettings { Profile = profile, Keep = 0.9 };
        var results = new[] { 1, 2, 5 }.Select(threads => Compressor.Run(source, _scratch.File($"threads-{threads}"), settings with { Threads = threads })).ToList();
        Assert.Single(results.Select(result => result.Id).Distinct());
        var hashes = results.Select(result => FactoredFiles.Hashes(result.Folder)).ToList();
        Assert.All(hashes, hash => Assert.Equal(hashes[0], hash));
    }

    [Fact]
    public void A_second_run_finds_its_result_there_and_leaves_it()
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        var first = Compressor.Run(source, Target, new CompressionSettings());
        var written = new DirectoryInfo(Target).EnumerateFiles().ToDictionary(file => file.Name, file => file.LastWriteTimeUtc);
        var second = Compressor.Run(source, Target + Path.DirectorySeparatorChar, new CompressionSettings());
        Assert.True(second.AlreadyThere);
        Assert.Equal(first.Id, second.Id);
        Assert.Equal(written, new DirectoryInfo(Target).EnumerateFiles().ToDictionary(file => file.Name, file => file.LastWriteTimeUtc));
        AssertNothingBeside();
    }

    [Fact]
    public void A_folder_with_anything_else_is_refused_and_left_alone()
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        Directory.CreateDirectory(Target);
        File.WriteAllText(Path.Combine(Target, "thesis.txt"), "years of work");
        var error = Assert.Throws<IOException>(() => Compressor.Run(source, Target, new CompressionSettings()));
        Assert.Contains(Target, error.Message, StringComparison.Ordinal);
        Assert.Equal(["thesis.txt"], FactoredFiles.Hashes(Target).Keys);
        Assert.Throws<IOException>(() => Compressor.Run(source, Path.Combine(Target, "thesis.txt"), new CompressionSettings()));
        AssertNothingBeside();
    }

    [Theory]
    [InlineData("settings")]
    [InlineData("weights")]
    [InlineData("shape")]
    public void A_folder_with_another_model_is_refused_and_left_alone(string difference)
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        Compressor.Run(source, Target, new CompressionSettings { Name = "same" });
        var before = FactoredFiles.Hashes(Target);
        using var other = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("other"), keys: difference == "shape" ? 2 : 4, seed: difference == "weights" ? 99 : 1));
        var settings = new CompressionSettings { Name = "same", Group = difference == "settings" ? 64 : 32 };
        Assert.Throws<IOException>(() => Compressor.Run(other, Target, settings));
        Assert.Equal(before, FactoredFiles.Hashes(Target));
        AssertNothingBeside();
    }

    [Fact]
    public void A_damaged_file_of_the_same_model_is_named()
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        Compressor.Run(source, Target, new CompressionSettings());
        var path = Path.Combine(Target, "layer-0001.safetensors");
        var bytes = File.ReadAllBytes(path);
        bytes[^100] ^= 1;
        File.WriteAllBytes(path, bytes);
        var error = Assert.Throws<IOException>(() => Compressor.Run(source, Target, new CompressionSettings()));
        Assert.Contains("layer-0001.safetensors", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(CompressionProfile.Int8)]
    [InlineData(CompressionProfile.Svd)]
    public void A_run_that_is_cancelled_anywhere_leaves_nothing(CompressionProfile profile)
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        var steps = 0;
        Compressor.Run(source, Target, new CompressionSettings { Profile = profile }, new Listener(_ => steps++));
        Directory.Delete(Target, recursive: true);
        for (var step = 1; step <= steps; step++)
        {
            using var cancellation = new CancellationTokenSource();
            var count = 0;
            var listener = new Listener(_ =>
            {
                if (++count == step)
                {
                    cancellation.Cancel();
                }
            });
            Assert.ThrowsAny<OperationCanceledException>(() => Compressor.Run(source, Target, new CompressionSettings { Profile = profile }, listener, cancellation.Token));
            Assert.False(Directory.Exists(Target));
            AssertNothingBeside();
        }
    }

    [Fact]
    public void A_run_that_fails_between_units_leaves_nothing()
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source"), poison: ("model.layers.1.mlp.up_proj.weight", float.NaN)));
        var error = Assert.Throws<InvalidDataException>(() => Compressor.Run(source, Target, new CompressionSettings()));
        Assert.Contains("model.layers.1.mlp.up_proj.weight", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target));
        AssertNothingBeside();
    }

    [Fact]
    public void What_a_crash_left_is_removed_by_the_next_run_but_not_what_another_run_is_writing()
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        var crashed = _scratch.File(".model.partial-00000000000000000000000000000000");
        Directory.CreateDirectory(crashed);
        File.WriteAllText(Path.Combine(crashed, "embedding.safetensors"), "half");
        File.WriteAllText(crashed + ".lock", "");
        File.WriteAllText(_scratch.File(".model.partial-11111111111111111111111111111111.lock"), "");
        using var living = PartialFolder.Create(_scratch.File("model"));
        Compressor.Run(source, Target, new CompressionSettings());
        Assert.True(Directory.Exists(living.Path));
        Assert.Equal(
            [Path.GetFileName(living.Path), Path.GetFileName(living.Path) + ".lock"],
            Directory.EnumerateFileSystemEntries(_scratch.Path, ".*").Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Progress_counts_every_unit_and_byte_in_order()
    {
        using var source = Checkpoint.Open(SmallCheckpoint.Write(_scratch.File("source")));
        var seen = new List<CompressionProgress>();
        Compressor.Run(source, Target, new CompressionSettings { Threads = 4 }, new Listener(seen.Add));
        Assert.Equal(source.Shape.Layers * 7 + 2 + source.Shape.Units, seen.Count);
        Assert.Equal(seen.Select(report => (report.Unit, report.Bytes)).Order(), seen.Select(report => (report.Unit, report.Bytes)));
        Assert.All(seen, report => Assert.Equal((5, seen[^1].Bytes), (report.Units, report.TotalBytes)));
        Assert.Equal(5, seen[^1].Unit);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1.01)]
    [InlineData(double.NaN)]
    public void A_share_that_is_none_is_refused(double keep)
    {
        var error = Assert.Throws<ArgumentException>(() => new CompressionSettings { Keep = keep }.Check());
        Assert.Contains("Keep", error.Message, StringComparison.Ordinal);
    }

    private static float[] Original(Checkpoint source, MatrixForm form)
    {
        var tensor = form.Unit == 0 ? CheckpointLayout.Embedding
            : form.Unit == source.Shape.Layers + 1 ? CheckpointLayout.Head(source.Shape)
            : CheckpointLayout.Layer(form.Unit - 1, form.Name + ".weight");
        return source.Read(tensor, form.Outputs, form.Inputs);
    }

    private static void AssertClose(LinearLayer expected, LinearLayer actual, ComputeTeam team, double bound)
    {
        var input = GroupQuantizerTests.Gaussian(2 * expected.Inputs, seed: 4);
        var (wanted, found) = (new float[2 * expected.Outputs], new float[2 * expected.Outputs]);
        expected.Apply(input, 2, wanted, new LinearWorkspace(), team);
        actual.Apply(input, 2, found, new LinearWorkspace(), team);
        Assert.InRange(FactoredFiles.RelativeError(wanted, found), 0, bound);
    }

    private void AssertNothingBeside() => Assert.Empty(Directory.EnumerateFileSystemEntries(_scratch.Path, ".*"));

    private sealed class Listener(Action<CompressionProgress> listen) : IProgress<CompressionProgress>
    {
        public void Report(CompressionProgress value) => listen(value);
    }
}
