using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Blocks;

namespace EFedLLM.Transformer.Tests.Caching;

public sealed class KvCacheTests : IDisposable
{
    private readonly RandomCheckpoint _checkpoint = new(seed: 41, ("max_position_embeddings", "300"));
    private readonly ComputeTeam _team = new(1);
    private readonly TransformerShard _shard;

    public KvCacheTests() => _shard = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 3));

    [Fact]
    public void Memory_is_what_was_foretold_for_every_length()
    {
        using var cache = _shard.CreateCache(300);
        Assert.Equal(0, cache.AllocatedBytes);
        foreach (var count in new[] { 1, 62, 1, 1, 63, 2, 100 })
        {
            Feed(cache, count);
            Assert.Equal(KvCache.BytesFor(_shard.Shape, _shard.Range, cache.Length), cache.AllocatedBytes);
        }

        // 2 layers of 2 heads of 2 values for key and value, 2 bytes each, in 4 pages of 64.
        Assert.Equal(230, cache.Length);
        Assert.Equal(2 * 2 * 2 * 2 * 2 * 64 * 4, cache.AllocatedBytes);
    }

    [Fact]
    public void Truncating_and_disposing_give_memory_back()
    {
        using var cache = _shard.CreateCache(300);
        Feed(cache, 200);
        cache.Truncate(128);
        Assert.Equal(KvCache.BytesFor(_shard.Shape, _shard.Range, 128), cache.AllocatedBytes);
        cache.Truncate(1);
        Assert.Equal(1, cache.Length);
        Feed(cache, 70);
        Assert.Equal(71, cache.Length);

        cache.Dispose();

        Assert.Equal(0, cache.AllocatedBytes);
        Assert.Throws<ObjectDisposedException>(() => Feed(cache, 1));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(6)]
    [InlineData(int.MaxValue)]
    public void Truncating_to_what_is_not_held_is_refused(int length)
    {
        using var cache = _shard.CreateCache(10);
        Feed(cache, 5);

        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(length));
        Assert.Equal(5, cache.Length);
    }

    [Fact]
    public void A_full_cache_says_so()
    {
        using var cache = _shard.CreateCache(10);
        Feed(cache, 10);

        Assert.Contains("10 of at most 10", Assert.Throws<ArgumentOutOfRangeException>(() => Feed(cache, 1)).Message, StringComparison.Ordinal);
        Assert.Equal(10, cache.Length);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    [InlineData(301)]
    public void A_limit_beyond_the_context_is_refused(int limit) => Assert.Throws<ArgumentOutOfRangeException>(() => _shard.CreateCache(limit));

    [Fact]
    public void A_range_without_layers_takes_no_memory()
    {
        using var shard = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 1));
        using var cache = shard.CreateCache(300);
        shard.Forward([new ShardStep { Cache = cache, Count = 3, Tokens = new int[3], Hidden = new float[24] }], _team);

        Assert.Equal((3, 0), (cache.Length, cache.AllocatedBytes));
        Assert.Equal(0, KvCache.BytesFor(shard.Shape, shard.Range, 300));
        Assert.Equal(0, KvCache.BytesFor(shard.Shape, new LayerRange(3, 4), 300));
    }

    [Fact]
    public void Keys_and_values_are_kept_as_the_nearest_halves_and_those_beyond_as_the_largest()
    {
        using var cache = _shard.CreateCache(300);
        cache.Reserve(1);
        for (var layer = 0; layer < 2; layer++)
        {
            cache.Write(layer, 0, [1 / 3f, -1e30f, 65520, 1e-30f], [float.MaxValue, -65504, 6e-8f, 2049]);
        }

        cache.Length = 1;
        var block = new Half[cache.PositionValues];
        cache.Export(0, 0, block);

        Half[] expected = [(Half)(1 / 3f), Half.MinValue, Half.MaxValue, Half.Zero, Half.MaxValue, Half.MinValue, Half.Epsilon, (Half)2048];
        Assert.Equal([.. expected, .. expected], block);
    }

    public void Dispose()
    {
        _shard.Dispose();
        _checkpoint.Dispose();
        _team.Dispose();
    }

    private void Feed(KvCache cache, int count) =>
        _shard.Forward([new ShardStep { Cache = cache, Count = count, Tokens = new int[count], Hidden = new float[count * 8] }], _team);
}
