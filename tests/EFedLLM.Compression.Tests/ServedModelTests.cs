using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Compression.Tests;

/// <summary>Models in the form they are served: the same logits to the last bit, however the work is cut up.</summary>
public sealed class ServedModelTests : IDisposable
{
    private const string Prompt = "Once there was a little fox. She had a boat";
    private const int Generated = 64;

    private readonly ScratchFolder _scratch = new();
    private readonly ComputeTeam _one = new(1);
    private readonly ComputeTeam _two = new(2);

    public void Dispose()
    {
        _one.Dispose();
        _two.Dispose();
        _scratch.Dispose();
    }

    [SharedTheory]
    [InlineData("efed-mini", CompressionProfile.Int8)]
    [InlineData("efed-mini", CompressionProfile.Svd)]
    [InlineData("stories260K", CompressionProfile.Int8)]
    [InlineData("stories3M", CompressionProfile.Int8)]
    [InlineData("babyllama-105", CompressionProfile.Int8)]
    public void Hops_threads_chunks_and_company_change_no_bit(string name, CompressionProfile profile)
    {
        using var source = Checkpoint.Open(SharedModels.Model(name));
        using var model = FactoredModel.Open(Compressor.Run(source, _scratch.File("model"), new CompressionSettings { Profile = profile }).Folder);
        AssertSameBits(model, ModelTokenizer.Load(model.Folder).Encode(Prompt));
    }

    [Theory]
    [InlineData(6)]
    [InlineData(5)]
    [InlineData(4)]
    public void Nor_do_they_with_weights_of_fewer_bits(int bits)
    {
        var shape = KnownShapes.Find("1b") with { VocabularySize = 300, HiddenSize = 136, IntermediateSize = 200, Layers = 3, Heads = 4, KeyValueHeads = 2, HeadSize = 34 };
        using var model = FactoredModel.Open(RandomModel.Write(shape, _scratch.File("model"), seed: 5, bits).Folder);
        AssertSameBits(model, [1, 17, 290, 4, 4, 100, 55]);
    }

    private void AssertSameBits(FactoredModel model, int[] tokens)
    {
        using var whole = new ShardPipeline(model, _one);
        var expected = Bits(Continue(whole, tokens, Generated, out var text));
        var last = model.Shape.Units;

        foreach (var cuts in new int[][] { [], [last / 2], [last / 3, 2 * last / 3] })
        {
            foreach (var team in new[] { _one, _two })
            {
                using var pipeline = new ShardPipeline(model, team, cuts);
                foreach (var chunk in new[] { 1, 7, 512 })
                {
                    Assert.Equal(expected, Bits(pipeline.Feed(text, chunk)));
                }

                Assert.Equal(expected, Bits(AmongFive(pipeline, text)));
            }
        }
    }

    /// <summary>Greedy decoding, one token a step; returns the logits of every position.</summary>
    private static float[] Continue(ShardPipeline pipeline, int[] prompt, int count, out int[] text)
    {
        var caches = pipeline.Open();
        var logits = new List<float>(pipeline.Feed((caches, prompt))[0]);
        var vocabulary = logits.Count / prompt.Length;
        var all = new List<int>(prompt);
        for (var i = 0; i < count; i++)
        {
            var row = logits.GetRange(logits.Count - vocabulary, vocabulary);
            all.Add(row.IndexOf(row.Max()));
            logits.AddRange(pipeline.Feed((caches, [all[^1]]))[0]);
        }

        text = [.. all];
        return [.. logits];
    }

    /// <summary>The text beside five others that are at other places, each step a batch of all six.</summary>
    private static float[] AmongFive(ShardPipeline pipeline, int[] text)
    {
        var sessions = Enumerable.Range(0, 6).Select(_ => pipeline.Open()).ToArray();
        var logits = new List<float>();
        for (var at = 0; at < text.Length; at += 5)
        {
            var step = text[at..Math.Min(at + 5, text.Length)];
            var batch = sessions.Select((caches, session) => (caches, session == 3 ? step : step[..(1 + session % step.Length)])).ToArray();
            logits.AddRange(pipeline.Feed(batch)[3]);
        }

        return [.. logits];
    }

    private static int[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToInt32Bits)];
}
