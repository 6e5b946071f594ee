using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Blocks;

/// <summary>The same logits to the last bit, however the work is cut up.</summary>
public sealed class InvarianceTests : IDisposable
{
    private readonly RandomCheckpoint _checkpoint = Wide();
    private readonly ComputeTeam _team = new(1);

    public static TheoryData<VectorWidth> Narrower => VectorWidthProcesses.Narrower;

    [Theory]
    [InlineData(2)]
    [InlineData(1, 4)]
    [InlineData(1, 2, 3, 4)]
    public void Shards_of_any_cut_give_the_logits_of_one(params int[] cuts)
    {
        var tokens = _checkpoint.Tokens(seed: 1, 90);
        using var whole = new ShardPipeline(_checkpoint.Source, _team);
        using var cut = new ShardPipeline(_checkpoint.Source, _team, cuts);

        AssertSameBits(whole.Feed(tokens, chunk: 90), cut.Feed(tokens, chunk: 13));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(512)]
    public void A_prompt_in_chunks_gives_the_logits_of_the_whole(int chunk)
    {
        var tokens = _checkpoint.Tokens(seed: 2, 150);
        using var pipeline = new ShardPipeline(_checkpoint.Source, _team);

        AssertSameBits(pipeline.Feed(tokens, chunk: 150), pipeline.Feed(tokens, chunk));
    }

    [Fact]
    public void A_session_among_five_others_gives_the_logits_it_gives_alone()
    {
        var tokens = _checkpoint.Tokens(seed: 3, 40);
        using var pipeline = new ShardPipeline(_checkpoint.Source, _team, 3);
        var alone = pipeline.Feed(tokens, chunk: 40);
        var caches = Enumerable.Range(0, 6).Select(_ => pipeline.Open()).ToArray();
        var others = Enumerable.Range(0, 6).Select(session => new Queue<int>(session == 2 ? tokens : _checkpoint.Tokens(seed: 10 + session, 100))).ToArray();
        var mixed = new List<float>();
        for (var round = 0; others[2].Count > 0; round++)
        {
            // Each takes another number of positions each time, prefill and decode side by side.
            var batch = Enumerable.Range(0, 6).Select(session => (caches[session], Take(others[session], 1 + (round * 5 + session * 3) % 7))).ToArray();
            mixed.AddRange(pipeline.Feed(batch)[2]);
        }

        AssertSameBits(alone, [.. mixed]);

        static int[] Take(Queue<int> queue, int count) => [.. Enumerable.Range(0, Math.Min(count, queue.Count)).Select(_ => queue.Dequeue())];
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void A_team_of_threads_gives_the_logits_of_one(int threads)
    {
        var tokens = _checkpoint.Tokens(seed: 4, 130);
        using var team = new ComputeTeam(threads);
        using var one = new ShardPipeline(_checkpoint.Source, _team);
        using var many = new ShardPipeline(_checkpoint.Source, team);

        AssertSameBits(one.Feed(tokens, chunk: 130), many.Feed(tokens, chunk: 130));
        AssertSameBits(one.Feed(tokens, chunk: 3), many.Feed(tokens, chunk: 3));
    }

    [Fact]
    public void A_session_cut_back_and_fed_again_gives_the_logits_it_gave()
    {
        var tokens = _checkpoint.Tokens(seed: 5, 100);
        using var pipeline = new ShardPipeline(_checkpoint.Source, _team);
        var expected = pipeline.Feed(tokens, chunk: 100);
        var caches = pipeline.Open();
        pipeline.Feed((caches, [.. tokens[..70], .. _checkpoint.Tokens(seed: 6, 60)]));
        caches[0].Truncate(70);

        var again = pipeline.Feed((caches, tokens[70..]))[0];

        AssertSameBits(expected[^again.Length..], again);
    }

    [Theory]
    [MemberData(nameof(Narrower))]
    public async Task A_processor_without_wide_registers_gives_the_same_logits(VectorWidth width)
    {
        var hashes = await VectorWidthProcesses.HashAsync(width, typeof(ModelDigest));

        Assert.Equal([BitResults.Hash(new ModelDigest())], hashes);
    }

    [SharedFact]
    public void A_real_model_gives_the_same_logits_however_it_is_cut()
    {
        using var source = Checkpoint.Open(SharedModels.Model("efed-mini"));
        using var team = new ComputeTeam(2);
        using var whole = new ShardPipeline(source, team);
        using var cut = new ShardPipeline(source, _team, 1, 3, 7);
        int[] tokens = [1, 272, 13, 318, 275, 277, 330, 288, 431, 1202, 373, 66, 2, 13, 1, 271, 13];

        AssertSameBits(whole.Feed(tokens, chunk: 17), cut.Feed(tokens, chunk: 5));
    }

    public void Dispose()
    {
        _checkpoint.Dispose();
        _team.Dispose();
    }

    /// <summary>Wide enough that teams share the work, with rests behind whole registers everywhere.</summary>
    private static RandomCheckpoint Wide() => new(
        seed: 21,
        ("hidden_size", "136"),
        ("intermediate_size", "172"),
        ("num_hidden_layers", "3"),
        ("num_attention_heads", "6"),
        ("num_key_value_heads", "3"),
        ("head_dim", "44"),
        ("vocab_size", "101"),
        ("max_position_embeddings", "256"));

    private static void AssertSameBits(float[] expected, float[] actual) =>
        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), actual.Select(BitConverter.SingleToInt32Bits));

    /// <summary>The logits of random models of several architectures.</summary>
    private sealed class ModelDigest : IBitDigest
    {
        public void Compute(BitResults results)
        {
            using var team = new ComputeTeam(1);
            using var llama = Wide();
            using var mistral = new RandomCheckpoint(
                seed: 22, ("architectures", """["MistralForCausalLM"]"""), ("model_type", "\"mistral\""), ("sliding_window", "9"), ("rope_scaling", """{"rope_type":"linear","factor":3.0}"""));
            using var qwen = new RandomCheckpoint(seed: 23, ("architectures", """["Qwen3ForCausalLM"]"""), ("model_type", "\"qwen3\""), ("head_dim", "32"));
            foreach (var checkpoint in new[] { llama, mistral, qwen })
            {
                using var pipeline = new ShardPipeline(checkpoint.Source, team);
                results.Add<float>(pipeline.Feed(checkpoint.Tokens(seed: 7, 40), chunk: 11));
            }
        }
    }
}
