using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Blocks;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Caching;

/// <summary>What one cache exports another one takes, and goes on with the same bits.</summary>
public sealed class OpenedCacheTests : IDisposable
{
    private readonly RandomCheckpoint _checkpoint = new(seed: 43, ("max_position_embeddings", "300"), ("num_attention_heads", "4"), ("num_key_value_heads", "2"), ("head_dim", "6"));
    private readonly ComputeTeam _team = new(1);
    private readonly TransformerShard _shard;

    public OpenedCacheTests() => _shard = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 3));

    public static TheoryData<VectorWidth> Narrower => VectorWidthProcesses.Narrower;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(63, 7)]
    [InlineData(64, 64)]
    [InlineData(65, 9)]
    [InlineData(130, 130)]
    [InlineData(200, 61)]
    public void The_next_step_gives_the_bits_that_it_gives_where_all_was_computed(int positions, int atOnce)
    {
        using var one = _shard.CreateCache(300);
        using var other = _shard.CreateCache(300);
        Feed(one, 0, positions);
        Assert.Equal(2 * 2 * 2 * 6, one.PositionValues);
        for (var position = 0; position < positions; position += atOnce)
        {
            var block = new Half[Math.Min(atOnce, positions - position) * one.PositionValues];
            one.Export(position, 0, block);
            other.Import(0, block);
        }

        Assert.Equal((positions, KvCache.BytesFor(_shard.Shape, _shard.Range, positions)), (other.Length, other.AllocatedBytes));
        Assert.Equal(Feed(one, positions, 70), Feed(other, positions, 70));
        Assert.Equal(Feed(one, positions + 70, 1), Feed(other, positions + 70, 1));
    }

    [Fact]
    public void A_position_may_come_in_parts_between_keys_and_values()
    {
        using var one = _shard.CreateCache(300);
        using var other = _shard.CreateCache(300);
        Feed(one, 0, 66);
        var (all, row) = (new Half[66 * one.PositionValues], one.RowValues);
        one.Export(0, 0, all);
        var random = new Random(5);
        for (int at = 0, count; at < all.Length; at += count)
        {
            count = Math.Min(all.Length - at, random.Next(1, 7) * row);
            var part = new Half[count];
            one.Export(at / one.PositionValues, at % one.PositionValues, part);
            Assert.Equal(all[at..(at + count)], part);
            Assert.Equal((at / one.PositionValues, at % one.PositionValues), (other.Length, other.Imported));
            other.Import(other.Imported, part);
        }

        Assert.Equal((66, 0), (other.Length, other.Imported));
        Assert.Equal(Feed(one, 66, 3), Feed(other, 66, 3));
    }

    [Fact]
    public void What_is_computed_and_what_is_imported_follow_one_another()
    {
        using var one = _shard.CreateCache(300);
        using var other = _shard.CreateCache(300);
        Feed(one, 0, 150);
        Feed(other, 0, 16);
        Import(one, other, 16, 100);
        Feed(other, 116, 34);
        Assert.Equal(Feed(one, 150, 5), Feed(other, 150, 5));
        other.Truncate(40);
        Import(one, other, 40, 100);
        one.Truncate(140);
        Assert.Equal(Feed(one, 140, 5), Feed(other, 140, 5));
    }

    [Fact]
    public void A_part_of_a_position_is_forgotten_when_that_is_computed_or_cut_off()
    {
        using var one = _shard.CreateCache(300);
        using var other = _shard.CreateCache(300);
        Feed(one, 0, 10);
        Import(one, other, 0, 4);
        var part = new Half[one.RowValues];
        one.Export(7, 0, part);
        other.Import(0, part);
        Assert.Equal(one.RowValues, other.Imported);
        Feed(other, 4, 6);
        Assert.Equal((10, 0), (other.Length, other.Imported));
        other.Import(0, part);
        other.Truncate(10);
        Assert.Equal(0, other.Imported);
        Assert.Equal(Feed(one, 10, 2), Feed(other, 10, 2));
    }

    [Theory]
    [InlineData(0, 0, 5, 0)]
    [InlineData(0, 0, 12, 1)]
    [InlineData(0, -12, 12, 0)]
    [InlineData(0, 6, 12, 0)]
    [InlineData(0, 48, 12, 0)]
    [InlineData(9, 0, 60, 0)]
    [InlineData(9, 36, 24, 0)]
    [InlineData(10, 0, 12, 0)]
    [InlineData(-1, 0, 12, 0)]
    [InlineData(int.MaxValue, 0, 12, 0)]
    public void What_is_not_there_is_not_exported(int position, int offset, int count, int tooFew)
    {
        using var cache = _shard.CreateCache(300);
        Feed(cache, 0, 10);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Export(position, offset, new Half[count - tooFew]));
    }

    [Fact]
    public void What_cannot_be_taken_changes_nothing()
    {
        using var cache = _shard.CreateCache(12);
        Feed(cache, 0, 10);
        var (width, row) = (cache.PositionValues, cache.RowValues);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Import(0, new Half[3 * width]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Import(0, new Half[(2 * width) + row]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Import(0, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Import(0, new Half[row - 1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Import(-row, new Half[row]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Import(width, new Half[row]));
        Assert.Throws<ArgumentException>(() => cache.Import(row, new Half[row]));
        foreach (var wrong in (Half[])[Half.NaN, Half.PositiveInfinity, Half.NegativeInfinity])
        {
            var block = new Half[2 * width];
            block[^1] = wrong;
            Assert.Throws<InvalidDataException>(() => cache.Import(0, block));
        }

        Assert.Throws<InvalidOperationException>(() => cache.Skip(1));
        Assert.Equal((10, 0), (cache.Length, cache.Imported));
        Assert.Equal(KvCache.BytesFor(_shard.Shape, _shard.Range, 10), cache.AllocatedBytes);
        cache.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cache.Import(0, new Half[row]));
        Assert.Throws<ObjectDisposedException>(() => cache.Export(0, 0, new Half[row]));
    }

    [Fact]
    public void A_range_without_layers_has_nothing_to_export_and_goes_on_without()
    {
        using var shard = TransformerShard.Load(_checkpoint.Source, new LayerRange(0, 1));
        using var cache = shard.CreateCache(20);
        Assert.Equal((0, 0), (cache.PositionValues, KvCache.ValuesFor(shard.Shape, shard.Range)));
        cache.Skip(17);
        Assert.Equal((17, 0L), (cache.Length, cache.AllocatedBytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Skip(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Skip(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Import(0, new Half[6]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Export(0, 0, new Half[6]));
        cache.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cache.Skip(1));
    }

    [Theory]
    [MemberData(nameof(Narrower))]
    public async Task A_processor_with_narrower_vectors_exports_and_goes_on_with_the_same(VectorWidth width)
        => Assert.Equal([BitResults.Hash(new OpenedDigest())], await VectorWidthProcesses.HashAsync(width, typeof(OpenedDigest)));

    public void Dispose()
    {
        _shard.Dispose();
        _checkpoint.Dispose();
        _team.Dispose();
    }

    private static void Import(KvCache from, KvCache to, int position, int count)
    {
        var block = new Half[count * from.PositionValues];
        from.Export(position, 0, block);
        to.Import(0, block);
    }

    private int[] Feed(KvCache cache, int position, int count) => Feed(_shard, cache, position, count, _team);

    private static int[] Feed(TransformerShard shard, KvCache cache, int position, int count, ComputeTeam team)
    {
        var hidden = new float[count * shard.Shape.HiddenSize];
        int[] tokens = [.. Enumerable.Range(position, count).Select(each => each * 7 % shard.Shape.VocabularySize)];
        shard.Forward([new ShardStep { Cache = cache, Count = count, Tokens = tokens, Hidden = hidden }], team);
        return [.. hidden.Select(BitConverter.SingleToInt32Bits)];
    }

    /// <summary>What a cache exports over the border of a page, and what is computed behind it elsewhere.</summary>
    private sealed class OpenedDigest : IBitDigest
    {
        public void Compute(BitResults results)
        {
            using var team = new ComputeTeam(1);
            using var checkpoint = new RandomCheckpoint(
                seed: 44, ("hidden_size", "136"), ("num_attention_heads", "6"), ("num_key_value_heads", "3"), ("head_dim", "44"), ("max_position_embeddings", "256"));
            using var shard = TransformerShard.Load(checkpoint.Source, new LayerRange(0, 3));
            using var one = shard.CreateCache(200);
            using var other = shard.CreateCache(200);
            Feed(shard, one, 0, 70, team);
            var block = new Half[70 * one.PositionValues];
            one.Export(0, 0, block);
            other.Import(0, block);
            results.Add<Half>(block);
            results.Add<int>(Feed(shard, other, 70, 9, team));
        }
    }
}
