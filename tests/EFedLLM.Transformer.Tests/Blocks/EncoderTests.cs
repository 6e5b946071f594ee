using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Blocks;

public sealed class EncoderTests
{
    /// <summary>Lengths below, at and above a page of positions, and more than one.</summary>
    private static readonly int[] Lengths = [1, 2, 7, 63, 64, 65, 131, 150];

    public static TheoryData<VectorWidth> Narrower => VectorWidthProcesses.Narrower;

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(70)]
    public void A_classifier_agrees_with_float64(int length)
    {
        using var checkpoint = TinyBert.Random(seed: 1);
        using var team = new ComputeTeam(1);
        using var encoder = new LocalEncoder(checkpoint.Source, team);
        var plain = new PlainEncoder(checkpoint.Source);
        var tokens = checkpoint.Tokens(2, length);

        var logits = encoder.Encode(tokens, SequenceOutput.Classes);
        var mean = encoder.Encode(tokens, SequenceOutput.Mean);

        Assert.All(plain.Classes(tokens).Zip(logits), pair => Assert.Equal(pair.First, pair.Second, 2e-5));
        var hidden = plain.Hidden(tokens);
        Assert.All(Enumerable.Range(0, 24), i => Assert.Equal(hidden.Average(row => row[i]), mean[i], 2e-5));
    }

    [Fact]
    public void The_bare_model_gives_means_and_no_classes()
    {
        using var checkpoint = TinyBert.Random(seed: 2, classifies: false);
        using var team = new ComputeTeam(1);
        using var encoder = new LocalEncoder(checkpoint.Source, team);
        var tokens = checkpoint.Tokens(3, 12);

        var mean = encoder.Encode(tokens, SequenceOutput.Mean);

        var hidden = new PlainEncoder(checkpoint.Source).Hidden(tokens);
        Assert.All(Enumerable.Range(0, 24), i => Assert.Equal(hidden.Average(row => row[i]), mean[i], 2e-5));
        Assert.Contains("BertModel", Assert.Throws<ArgumentException>(() => encoder.Encode(tokens, SequenceOutput.Classes)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cuts_into_shards_threads_and_company_change_no_bit()
    {
        using var checkpoint = TinyBert.Random(seed: 3);
        using var one = new ComputeTeam(1);
        using var two = new ComputeTeam(2);
        using var encoder = new LocalEncoder(checkpoint.Source, one);
        var sequences = Lengths.Select(length => (ReadOnlyMemory<int>)checkpoint.Tokens(length, length)).ToArray();
        foreach (var output in new[] { SequenceOutput.Classes, SequenceOutput.Mean })
        {
            var alone = sequences.Select(tokens => encoder.Encode(tokens, output)).ToArray();
            Assert.Equal(alone, encoder.Encode(sequences, output));
            foreach (var cuts in new[] { Array.Empty<int>(), [1], [2], [4], [1, 2, 3, 4] })
            {
                Assert.Equal(alone, Pipe(checkpoint.Source, two, cuts, output, sequences));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Narrower))]
    public async Task A_processor_without_wide_registers_gives_the_same_bits(VectorWidth width)
    {
        var hashes = await VectorWidthProcesses.HashAsync(width, typeof(EncoderDigest));

        Assert.Equal([BitResults.Hash(new EncoderDigest())], hashes);
    }

    [Fact]
    public void A_sequence_is_one_step()
    {
        using var checkpoint = TinyBert.Random(seed: 4);
        using var team = new ComputeTeam(1);
        using var shard = TransformerShard.Load(checkpoint.Source, LayerRange.Whole(3));
        using var cache = shard.CreateCache(10);
        var step = new ShardStep { Cache = cache, Count = 3, Tokens = checkpoint.Tokens(1, 3) };
        shard.Forward([step], team);

        Assert.Equal(3, cache.Length);
        Assert.Equal(0, cache.AllocatedBytes);
        Assert.Contains("one step", Assert.Throws<ArgumentException>(() => shard.Forward([step], team)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Steps_that_make_no_sense_are_refused_before_anything_is_computed()
    {
        using var checkpoint = TinyBert.Random(seed: 5);
        using var team = new ComputeTeam(1);
        using var encoder = new LocalEncoder(checkpoint.Source, team);
        using var shard = TransformerShard.Load(checkpoint.Source, LayerRange.Whole(3));
        using var cache = shard.CreateCache(150);

        Assert.Throws<ArgumentException>(() => encoder.Encode(Array.Empty<int>(), SequenceOutput.Mean));
        Assert.Contains("150", Assert.Throws<ArgumentException>(() => encoder.Encode(new int[151], SequenceOutput.Mean)).Message, StringComparison.Ordinal);
        Assert.ThrowsAny<ArgumentException>(() => encoder.Encode(new[] { 19 }, SequenceOutput.Mean));
        Assert.ThrowsAny<ArgumentException>(() => shard.Forward([new ShardStep { Cache = cache, Count = 1, Tokens = new int[1], Output = SequenceOutput.Classes, Logits = new float[2] }], team));
        Assert.ThrowsAny<ArgumentException>(() => shard.Forward([new ShardStep { Cache = cache, Count = 1, Tokens = new int[1], Output = (SequenceOutput)9, Logits = new float[99] }], team));
        Assert.Equal(0, cache.Length);
    }

    [Fact]
    public void An_activation_that_is_not_finite_costs_its_own_step_alone()
    {
        using var checkpoint = TinyBert.Random(seed: 6);
        using var team = new ComputeTeam(1);
        using var shard = TransformerShard.Load(checkpoint.Source, new LayerRange(2, 5));
        using var first = shard.CreateCache(2);
        using var second = shard.CreateCache(2);
        var good = new ShardStep { Cache = first, Count = 2, Hidden = Enumerable.Repeat(0.5f, 48).ToArray() };
        var bad = new ShardStep { Cache = second, Count = 2, Hidden = Enumerable.Range(0, 48).Select(i => i == 40 ? float.NaN : 0.5f).ToArray() };

        Assert.Equal(1, Assert.Throws<NonFiniteStepException>(() => shard.Forward([good, bad], team)).Step);
        Assert.Equal(0, first.Length);
        shard.Forward([good], team);
        Assert.Equal(2, first.Length);
    }

    [Fact]
    public void What_generates_refuses_an_encoder_and_what_encodes_a_decoder()
    {
        using var encoder = TinyBert.Random(seed: 7);
        using var decoder = new RandomCheckpoint(8);
        using var team = new ComputeTeam(1);

        Assert.Contains("encoder", Assert.Throws<NotSupportedException>(() => new LocalGenerator(encoder.Source, team)).Message, StringComparison.Ordinal);
        Assert.Throws<NotSupportedException>(() => new PerplexityMeter(encoder.Source, team));
        Assert.Contains("LlamaForCausalLM", Assert.Throws<NotSupportedException>(() => new LocalEncoder(decoder.Source, team)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weight_bytes_are_those_of_every_matrix_norm_and_table()
    {
        using var checkpoint = TinyBert.Random(seed: 9);
        using var shard = TransformerShard.Load(checkpoint.Source, LayerRange.Whole(3));

        Assert.Equal(checkpoint.Source.Parameters * sizeof(float), shard.WeightBytes);
        Assert.Equal(shard.WeightBytes - (19 - 1 + 150 - 1 + 2 - 1) * 24 * sizeof(float), shard.WeightBytesPerToken);
    }

    [Fact]
    public void A_unit_vector_has_length_1_and_nothing_stays_nothing()
    {
        float[] vector = [3e-30f, 4e-30f];
        SequencePooling.Normalize(vector);
        Assert.Equal([0.6f, 0.8f], vector);

        float[] nothing = [0, 0];
        SequencePooling.Normalize(nothing);
        Assert.Equal([0, 0], nothing);
        Assert.Throws<ArgumentException>(() => SequencePooling.Mean(new float[5], new float[2]));
    }

    private static float[][] Pipe(Checkpoint source, ComputeTeam team, int[] cuts, SequenceOutput output, ReadOnlyMemory<int>[] sequences)
    {
        var shape = source.Shape;
        int[] bounds = [0, .. cuts, shape.Units];
        var hidden = sequences.Select(tokens => new float[tokens.Length * shape.HiddenSize]).ToArray();
        var results = sequences.Select(_ => new float[shape.OutputWidth(output)]).ToArray();
        for (var hop = 0; hop + 1 < bounds.Length; hop++)
        {
            using var shard = TransformerShard.Load(source, new LayerRange(bounds[hop], bounds[hop + 1]));
            shard.Forward(
                [.. sequences.Select((tokens, i) => new ShardStep { Cache = shard.CreateCache(150), Count = tokens.Length, Tokens = tokens, Hidden = hidden[i], Output = output, Logits = results[i] })],
                team);
        }

        return results;
    }
}
