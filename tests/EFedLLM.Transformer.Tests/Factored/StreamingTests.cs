using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;
using EFedLLM.Transformer.Tests.Checkpoints;

namespace EFedLLM.Transformer.Tests.Factored;

/// <summary>Shards whose weights do not fit their memory.</summary>
public sealed class StreamingTests : IDisposable
{
    private readonly ScratchFolder _folder = new();
    private readonly ComputeTeam _team = new(2);

    public void Dispose()
    {
        _folder.Dispose();
        _team.Dispose();
    }

    [Theory]
    [InlineData(6, 50, 0)]
    [InlineData(7, 50, 0)]
    [InlineData(7, 50, 0.4)]
    [InlineData(7, 50, 0.9)]
    [InlineData(6, 600, 0)]
    [InlineData(7, 600, 0)]
    [InlineData(7, 600, 0.6)]
    public void What_is_streamed_has_the_bits_of_what_is_in_memory(int layers, int vocabulary, double share)
    {
        using var model = Write(layers, vocabulary);
        var whole = LayerRange.Whole(layers);
        var need = StreamNeed.Of(UnitBytes(model), whole);
        var memory = need.LeastBytes + (long)(share * (need.LayerBytes + need.HeadBytes - need.LeastBytes));
        using var resident = TransformerShard.Load(model, whole);
        using var streamed = TransformerShard.Load(model, whole, memory);
        Assert.InRange(streamed.StreamedBytes, 1, need.LayerBytes + need.HeadBytes);
        Assert.Equal(share == 0, StreamPlan.Of(UnitBytes(model), whole, memory)!.Streamed.Contains(layers + 1));
        Assert.Equal((resident.WeightBytes, resident.WeightBytesPerToken, 0), (streamed.WeightBytes, streamed.WeightBytesPerToken, resident.StreamedBytes));
        foreach (var chunks in (int[][])[[1, 1, 1, 1, 1], [5], [2, 3], [3, 1, 1]])
        {
            Assert.Equal(Logits(resident, chunks), Logits(streamed, chunks));
        }
    }

    [Fact]
    public void A_range_in_the_middle_is_streamed_too()
    {
        using var model = Write(7, 50);
        var range = new LayerRange(2, 7);
        using var resident = TransformerShard.Load(model, range);
        using var streamed = TransformerShard.Load(model, range, StreamNeed.Of(UnitBytes(model), range).LeastBytes);
        Assert.Equal(Hidden(resident), Hidden(streamed));
    }

    [Fact]
    public void A_step_in_the_steady_state_allocates_nothing()
    {
        using var model = Write(5, 50);
        using var shard = TransformerShard.Load(model, LayerRange.Whole(5), StreamNeed.Of(UnitBytes(model), LayerRange.Whole(5)).LeastBytes);
        ShardStep[] steps = [new ShardStep { Cache = shard.CreateCache(60), Count = 1, Tokens = new int[] { 7 }, LogitRows = 1, Logits = new float[50] }];
        for (var i = 0; i < 5; i++)
        {
            shard.Forward(steps, _team);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 40; i++)
        {
            shard.Forward(steps, _team);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_step_that_ended_in_the_middle_leaves_the_next_one_whole()
    {
        using var model = Write(7, 50);
        var range = new LayerRange(1, 8);
        using var resident = TransformerShard.Load(model, range);
        using var streamed = TransformerShard.Load(model, range, StreamNeed.Of(UnitBytes(model), range).LeastBytes);
        using var cache = streamed.CreateCache(8);
        var bad = new ShardStep { Cache = cache, Count = 1, Hidden = new float[40] };
        bad.Hidden.Span.Fill(float.NaN);
        for (var i = 0; i < 3; i++)
        {
            Assert.Throws<NonFiniteStepException>(() => streamed.Forward([bad], _team));
            Assert.Equal(Hidden(resident), Hidden(streamed));
        }
    }

    [Fact]
    public void A_file_that_becomes_shorter_is_an_error_that_names_it_and_whole_again_it_serves_again()
    {
        using var model = Write(7, 50);
        var whole = LayerRange.Whole(7);
        var plan = StreamPlan.Of(UnitBytes(model), whole, StreamNeed.Of(UnitBytes(model), whole).LeastBytes)!;
        using var shard = TransformerShard.Load(model, whole, plan.MemoryBytes);
        var expected = Logits(shard, [5]);
        var path = _folder.File(model.Manifest.Files[plan.Streamed[^1]].Name);
        var bytes = File.ReadAllBytes(path);
        Resize(path, bytes.Length / 2, bytes);
        for (var i = 0; i < 2; i++)
        {
            var error = Assert.Throws<IOException>(() => Logits(shard, [5]));
            Assert.Contains(path, error.Message, StringComparison.Ordinal);
            Assert.Contains("cut or changed", error.Message, StringComparison.Ordinal);
        }

        Resize(path, bytes.Length, bytes);
        Assert.Equal(expected, Logits(shard, [5]));

        // Rows of the embedding come from a file too.
        path = _folder.File(model.Manifest.Files[0].Name);
        Resize(path, 16, File.ReadAllBytes(path));
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => Logits(shard, [1])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_little_memory_for_the_windows_is_refused_with_what_it_takes()
    {
        using var model = Write(7, 50);
        var least = StreamNeed.Of(UnitBytes(model), LayerRange.Whole(7)).LeastBytes;
        var error = Assert.Throws<NotSupportedException>(() => TransformerShard.Load(model, LayerRange.Whole(7), least - 1));
        Assert.Contains($"it needs {least}", error.Message, StringComparison.Ordinal);
        Assert.Contains($"memory for {least - 1}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_file_is_refused_when_it_is_loaded()
    {
        using var model = Write(7, 50);
        var path = _folder.File(model.Manifest.Files[3].Name);
        var bytes = File.ReadAllBytes(path);
        bytes[9] ^= 0x55;
        File.WriteAllBytes(path, bytes);
        var whole = LayerRange.Whole(7);
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => TransformerShard.Load(model, whole, StreamNeed.Of(UnitBytes(model), whole).LeastBytes)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_memory_of_a_unit_is_free_when_the_last_that_loaded_it_is_done_with_it()
    {
        using var model = Write(3, 50);
        var layer = model.LoadLayer(0);
        TransformerShard.Load(model, LayerRange.Whole(3)).Dispose();
        var (x, y) = (new float[40], new float[64]);
        layer.Query.Apply(x, 1, y, new LinearWorkspace(), _team);
        model.Unload(1);
        Assert.Throws<ObjectDisposedException>(() => layer.Query.Apply(x, 1, y, new LinearWorkspace(), _team));
        model.LoadLayer(0).Query.Apply(x, 1, y, new LinearWorkspace(), _team);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_plan_stays_within_its_memory_and_reads_no_more_than_it_has_to(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 2000; round++)
        {
            var layers = random.Next(1, 40);
            var bytes = Enumerable.Range(0, layers + 2).Select(_ => (long)random.Next(1, random.Next(2, 200))).ToArray();
            var first = random.Next(layers + 2);
            var range = new LayerRange(first, random.Next(first + 1, layers + 3));
            var memory = random.NextInt64(1, bytes.Sum() + 10);
            var need = StreamNeed.Of(bytes, range);
            if (StreamPlan.Of(bytes, range, memory) is not { } plan)
            {
                Assert.True(memory < need.LeastBytes, $"{memory} of {need} in round {round}");
                continue;
            }

            Assert.True(memory >= need.LeastBytes && plan.MemoryBytes <= memory, $"{plan} of {need} in round {round}");
            Assert.True(plan.Streamed.IsEmpty || plan.Streamed.Length > 2, $"{plan} in round {round}");
            Assert.Equal(plan.Streamed.Sum(unit => bytes[unit]), plan.StreamedBytes);
            Assert.True(plan.StreamedBytes >= need.StreamedBytes(memory));
            Assert.True(plan.StreamedBytes < need.StreamedBytes(memory) + Math.Max(need.LargestLayerBytes, need.HeadBytes) || plan.StreamedBytes == 0, $"{plan} of {need} in round {round}");
        }
    }

    [Fact]
    public void What_stays_in_memory_is_spread_over_the_layers()
    {
        var plan = StreamPlan.Of([.. Enumerable.Repeat(10L, 14)], new LayerRange(1, 13), 60)!;
        Assert.Equal([1, 2, 4, 5, 7, 8, 10, 11], plan.Streamed.ToArray());
        Assert.Equal((60, 80), (plan.MemoryBytes, plan.StreamedBytes));
    }

    private FactoredModel Write(int layers, int vocabulary)
    {
        FactoredFolder.Write(_folder, sample: SampleManifests.Create(SampleManifests.Shape with { Layers = layers, VocabularySize = vocabulary }, shared: true));
        return FactoredModel.Open(_folder.Path);
    }

    private static long[] UnitBytes(FactoredModel model) => [.. model.Manifest.Files.Select(file => file.Bytes)];

    /// <summary>Changes a file in its place, as whoever has it open sees it.</summary>
    private static void Resize(string path, int length, byte[] bytes)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        file.Write(bytes, 0, length);
        file.SetLength(length);
    }

    /// <summary>The bits of all logits of a prompt; of a chunk before the last none are computed, as in a cluster.</summary>
    private int[] Logits(TransformerShard shard, int[] chunks)
    {
        using var cache = shard.CreateCache(20);
        var logits = new List<int>();
        var fed = 0;
        foreach (var (chunk, index) in chunks.Select((chunk, index) => (chunk, index)))
        {
            var rows = index == chunks.Length - 1 ? 1 : 0;
            var step = new ShardStep
            {
                Cache = cache,
                Count = chunk,
                Tokens = Enumerable.Range(fed, chunk).Select(position => (position * 7) + 3).ToArray(),
                LogitRows = rows,
                Logits = new float[rows * shard.Shape.VocabularySize],
            };
            shard.Forward([step], _team);
            logits.AddRange(step.Logits.ToArray().Select(BitConverter.SingleToInt32Bits));
            fed += chunk;
        }

        return [.. logits];
    }

    private int[] Hidden(TransformerShard shard)
    {
        using var cache = shard.CreateCache(8);
        var step = new ShardStep { Cache = cache, Count = 2, Hidden = Enumerable.Range(0, 80).Select(value => (value - 40) / 64f).ToArray() };
        shard.Forward([step], _team);
        return [.. step.Hidden.ToArray().Select(BitConverter.SingleToInt32Bits)];
    }
}
