using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Tests;

/// <summary>A real BERT through its factored forms.</summary>
public sealed class EncoderTests : IDisposable
{
    private const string Model = "bert-tiny-sst2";

    private readonly ScratchFolder _scratch = new();
    private readonly ComputeTeam _team = new(2);

    public void Dispose()
    {
        _team.Dispose();
        _scratch.Dispose();
    }

    [SharedFact]
    public void Int8_is_a_sound_folder_that_loses_no_point_of_accuracy()
    {
        var result = Compress(new CompressionSettings());

        FactoredFiles.AssertSound(result.Folder);
        Assert.Equal(new EncoderSettings(2, 2), result.Manifest.Shape.Encoder);
        Assert.InRange(result.Manifest.BitsPerWeight, 8.5, 9.0);
        Assert.Equal(3 + 2 * 6 + 2, result.Manifest.Matrices.Length);
        Assert.Equal(["embed", "position_embeddings", "token_type_embeddings"], result.Manifest.MatricesOf(0).Select(form => form.Name));
        Assert.Equal(["pooler.dense", "classifier"], result.Manifest.MatricesOf(3).Select(form => form.Name));

        // One row of each table, in groups of 32 with a scale of two bytes, and the norm; then everything else.
        Assert.Equal(3 * 4 * 34 + 2 * 128 * sizeof(float), result.Manifest.UnitReadBytes(0));
        Assert.InRange(Correct(result.Folder), 711 - 5, 711 + 5);
    }

    [SharedFact]
    public void The_papers_form_is_made_of_every_layer_and_loses_more()
    {
        var result = Compress(new CompressionSettings { Profile = CompressionProfile.Svd, Keep = 0.4 });

        FactoredFiles.AssertSound(result.Folder);
        Assert.All(result.Manifest.MatricesOf(1), form => Assert.Null(form.Base));
        Assert.All(result.Manifest.MatricesOf(0).Concat(result.Manifest.MatricesOf(3)), form => Assert.NotNull(form.Base));

        // The float model has 711 right; half would be guessing.
        Assert.InRange(Correct(result.Folder), 480, 700);
    }

    [SharedFact]
    public void Another_run_gives_the_same_identity_and_another_setting_another_one()
    {
        var first = Compress(new CompressionSettings { Threads = 1 });
        using var checkpoint = Checkpoint.Open(SharedModels.Model(Model));

        Assert.Equal(first.Id, Compressor.Run(checkpoint, _scratch.File("again"), new CompressionSettings { Threads = 2 }).Id);
        Assert.NotEqual(first.Id, Compressor.Run(checkpoint, _scratch.File("other"), new CompressionSettings { Group = 64 }).Id);
    }

    [SharedTheory]
    [InlineData(CompressionProfile.Int8)]
    [InlineData(CompressionProfile.Svd)]
    public void Hops_threads_and_company_change_no_bit(CompressionProfile profile)
    {
        using var model = FactoredModel.Open(Compress(new CompressionSettings { Profile = profile }).Folder);
        using var one = new ComputeTeam(1);
        using var encoder = new LocalEncoder(model, one);
        var sequences = new[] { 1, 20, 64, 130 }.Select(length => (ReadOnlyMemory<int>)Enumerable.Range(2000, length).ToArray()).ToArray();
        foreach (var output in new[] { SequenceOutput.Classes, SequenceOutput.Mean })
        {
            var alone = sequences.Select(tokens => encoder.Encode(tokens, output)).ToArray();

            Assert.Equal(alone, encoder.Encode(sequences, output));
            foreach (var cuts in new int[][] { [0, 4], [0, 2, 4], [0, 1, 2, 3, 4] })
            {
                Assert.Equal(alone, Pipe(model, cuts, output, sequences));
            }
        }
    }

    [Fact]
    public void A_manifest_that_makes_no_sense_of_an_encoder_is_refused()
    {
        var shape = new ModelShape
        {
            Architecture = "BertModel",
            VocabularySize = 30,
            HiddenSize = 32,
            IntermediateSize = 64,
            Layers = 2,
            Heads = 2,
            KeyValueHeads = 2,
            HeadSize = 16,
            ContextLength = 40,
            NormEpsilon = 1e-12f,
            Rope = new RopeSettings(10000),
            Encoder = new EncoderSettings(2, 0),
        };
        var manifest = RandomModel.Write(shape, _scratch.File("random"), seed: 1).Manifest;

        Assert.Equal(shape.Encoder, ModelManifest.Parse(manifest.ToJson()).Shape.Encoder);
        foreach (var broken in new[]
        {
            shape with { Encoder = new EncoderSettings(0, 0) },
            shape with { Encoder = new EncoderSettings(2, -1) },
            shape with { Encoder = new EncoderSettings(2, 1 << 20) },
            shape with { Encoder = null },
            shape with { KeyValueHeads = 1 },
            shape with { HeadSize = 8 },
            shape with { SlidingWindow = 8 },
            shape with { QueryKeyNorm = true },
            shape with { ContextLength = 1 << 20 },
            shape with { Rope = new RopeSettings(500000) },
        })
        {
            Assert.Throws<InvalidDataException>(() => (manifest with { Shape = broken }).ToJson());
        }

        Assert.Throws<InvalidDataException>(() => (manifest with { Matrices = manifest.Matrices.RemoveAt(1) }).ToJson());
    }

    [Fact]
    public void An_encoder_without_a_head_has_an_empty_last_file_and_gives_means()
    {
        var shape = new ModelShape
        {
            Architecture = "BertModel",
            VocabularySize = 30,
            HiddenSize = 32,
            IntermediateSize = 64,
            Layers = 1,
            Heads = 2,
            KeyValueHeads = 2,
            HeadSize = 16,
            ContextLength = 40,
            NormEpsilon = 1e-12f,
            Rope = new RopeSettings(10000),
            Encoder = new EncoderSettings(1, 0),
        };
        using var model = FactoredModel.Open(RandomModel.Write(shape, _scratch.File("bare"), seed: 2).Folder);
        using var encoder = new LocalEncoder(model, _team);

        Assert.Empty(model.Manifest.MatricesOf(2));
        model.Verify(2);
        Assert.Contains(encoder.Encode(new[] { 1, 2, 3 }, SequenceOutput.Mean), value => value != 0);
    }

    [SharedFact]
    public void A_decoders_manifest_says_nothing_of_encoders()
    {
        using var checkpoint = Checkpoint.Open(SharedModels.Model("stories260K"));
        var result = Compressor.Run(checkpoint, _scratch.File("decoder"), new CompressionSettings());

        Assert.DoesNotContain("encoder", File.ReadAllText(Path.Combine(result.Folder, ModelManifest.FileName)), StringComparison.OrdinalIgnoreCase);
    }

    private CompressionResult Compress(CompressionSettings settings)
    {
        using var checkpoint = Checkpoint.Open(SharedModels.Model(Model));
        return Compressor.Run(checkpoint, _scratch.File("model"), settings);
    }

    private int Correct(string folder)
    {
        using var classifier = SequenceClassifier.Open(folder, _team);
        var rows = File.ReadLines(SharedModels.Data("sst2/dev.tsv")).Skip(1).Select(line => line.Split('\t')).ToArray();
        return rows.Chunk(64)
            .SelectMany(batch => classifier.Classify([.. batch.Select(row => row[0])]))
            .Zip(rows)
            .Count(pair => pair.First[1] > pair.First[0] == (pair.Second[1] == "1"));
    }

    private float[][] Pipe(FactoredModel model, int[] bounds, SequenceOutput output, ReadOnlyMemory<int>[] sequences)
    {
        var hidden = sequences.Select(tokens => new float[tokens.Length * model.Shape.HiddenSize]).ToArray();
        var results = sequences.Select(_ => new float[model.Shape.OutputWidth(output)]).ToArray();
        foreach (var (first, end) in bounds.Zip(bounds.Skip(1)))
        {
            using var shard = TransformerShard.Load(model, new LayerRange(first, end));
            shard.Forward(
                [.. sequences.Select((tokens, i) => new ShardStep { Cache = shard.CreateCache(512), Count = tokens.Length, Tokens = tokens, Hidden = hidden[i], Output = output, Logits = results[i] })],
                _team);
        }

        return results;
    }
}
