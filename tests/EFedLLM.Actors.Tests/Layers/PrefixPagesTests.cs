using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>What a device keeps of sessions that ended, and for how long.</summary>
public sealed class PrefixPagesTests(ITestOutputHelper output)
{
    private static readonly Digest Scope = Digest.Of([1]);

    private static readonly Lazy<KvPage[]> Made = new(Make);

    private readonly object _owner = new();

    private static long PageBytes => Made.Value[0].Bytes;

    [SharedFact]
    public void Pages_are_found_by_scope_and_name_as_many_as_there_are_without_a_gap()
    {
        var budget = new CacheBudget(100 * PageBytes, 1);
        budget.Pages.Keep(_owner, Scope, Keys(1, 2, 3), Pages(3));
        Assert.Equal((3 * PageBytes, 3 * PageBytes), (budget.Pages.Bytes, budget.Reserved));
        Assert.Equal(Pages(3), budget.Pages.Find(Scope, Keys(1, 2, 3, 4)));
        Assert.Equal(Pages(1), budget.Pages.Find(Scope, Keys(1, 9, 3)));
        Assert.Empty(budget.Pages.Find(Scope, Keys(9, 2, 3)));
        Assert.Empty(budget.Pages.Find(Digest.Of([2]), Keys(1)));
        Assert.Empty(budget.Pages.Find(Scope, []));

        // What is there already is not taken twice.
        budget.Pages.Keep(_owner, Scope, Keys(1, 2, 3), Pages(3));
        Assert.Equal(3 * PageBytes, budget.Reserved);
    }

    [SharedFact]
    public void What_was_not_used_for_the_longest_time_makes_room_the_end_of_a_text_before_its_beginning()
    {
        var budget = new CacheBudget(10 * PageBytes, 0.5);
        budget.Pages.Keep(_owner, Scope, Keys(1, 2, 3), Pages(3));
        budget.Pages.Keep(_owner, Scope, Keys(11, 12), Pages(2));
        Assert.Equal(3, budget.Pages.Find(Scope, Keys(1, 2, 3)).Length);

        budget.Pages.Keep(_owner, Scope, Keys(21), Pages(1));
        Assert.Equal((3, 1, 1), (Found(1, 2, 3), Found(11, 12), Found(21)));
        budget.Pages.Keep(_owner, Scope, Keys(31, 32, 33, 34, 35, 36, 37), Pages(7));
        Assert.Equal((0, 0, 0, 5), (Found(1, 2, 3), Found(11, 12), Found(21), Found(31, 32, 33, 34, 35, 36, 37)));
        Assert.Equal(5 * PageBytes, budget.Reserved);

        int Found(params int[] keys) => budget.Pages.Find(Scope, Keys(keys)).Length;
    }

    [SharedFact]
    public void A_session_that_needs_the_memory_gets_it_and_so_do_its_outputs()
    {
        var budget = new CacheBudget(8 * PageBytes, 1);
        budget.Pages.Keep(_owner, Scope, Keys(1, 2, 3, 4, 5, 6, 7, 8), Pages(8));
        Assert.True(budget.TryReserve(3 * PageBytes));
        Assert.Equal((5 * PageBytes, 8 * PageBytes), (budget.Pages.Bytes, budget.Reserved));
        Assert.True(budget.TryReserveSpare(1));
        Assert.Equal((2 * PageBytes, (5 * PageBytes) + 1), (budget.Pages.Bytes, budget.Reserved));

        // What does not fit anyhow costs nobody his pages.
        Assert.False(budget.TryReserve((8 * PageBytes) + 1));
        Assert.Equal(2 * PageBytes, budget.Pages.Bytes);
        Assert.True(budget.TryReserve((5 * PageBytes) - 1));
        Assert.Equal((0, 8 * PageBytes), (budget.Pages.Bytes, budget.Reserved));
        Assert.False(budget.TryReserve(1));

        // Nobody's memory is taken for pages.
        budget.Pages.Keep(_owner, Scope, Keys(1), Pages(1));
        Assert.Equal(0, budget.Pages.Bytes);
    }

    [SharedFact]
    public void A_range_that_is_given_up_takes_its_pages_along_and_no_others()
    {
        var (budget, other) = (new CacheBudget(8 * PageBytes, 1), new object());
        budget.Pages.Keep(_owner, Scope, Keys(1, 2), Pages(2));
        budget.Pages.Keep(other, Digest.Of([2]), Keys(1), Pages(1));
        budget.Pages.Forget(_owner);
        Assert.Equal(PageBytes, budget.Reserved);
        Assert.Empty(budget.Pages.Find(Scope, Keys(1)));
        Assert.Single(budget.Pages.Find(Digest.Of([2]), Keys(1)));
    }

    [SharedFact]
    public void A_device_without_a_share_keeps_nothing()
    {
        var budget = new CacheBudget(8 * PageBytes);
        budget.Pages.Keep(_owner, Scope, Keys(1, 2), Pages(2));
        Assert.Equal((0, 0), (budget.Pages.Bytes, budget.Reserved));
    }

    [SharedFact]
    public void Whatever_many_threads_keep_find_take_and_give_back_no_byte_is_lost_or_given_twice()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var budget = new CacheBudget(20 * PageBytes, 0.6);
        Parallel.For(0, 8, worker =>
        {
            var (random, held) = (new Random(seed + worker), new Stack<long>());
            for (var round = 0; round < 5000; round++)
            {
                var keys = Keys([.. Enumerable.Range(random.Next(3) * 100, random.Next(1, 9))]);
                switch (random.Next(4))
                {
                    case 0:
                        budget.Pages.Keep(_owner, Scope, keys, Pages(keys.Length));
                        break;
                    case 1:
                        var found = budget.Pages.Find(Scope, keys);
                        Assert.Equal(Pages(found.Length), found);
                        break;
                    case 2:
                        var bytes = random.Next(1, 4) * PageBytes / 2;
                        if (budget.TryReserve(bytes))
                        {
                            held.Push(bytes);
                        }

                        break;
                    default:
                        budget.Release(held.TryPop(out var last) ? last : 0);
                        break;
                }

                Assert.InRange(budget.Reserved, 0, budget.Total);
                Assert.InRange(budget.Pages.Bytes, 0, budget.Total * 6 / 10);
            }

            budget.Release(held.Sum());
        });
        Assert.Equal(budget.Pages.Bytes, budget.Reserved);
        budget.Pages.Forget(_owner);
        Assert.Equal((0, 0), (budget.Pages.Bytes, budget.Reserved));
    }

    private static PageKey[] Keys(params int[] names) => [.. names.Select(name => new PageKey(0, (ulong)name))];

    private static KvPage[] Pages(int count) => Made.Value[..count];

    private static KvPage[] Make()
    {
        using var source = ModelFolder.Open(SharedModels.Model("stories260K"));
        using var shard = TransformerShard.Load(source, new LayerRange(1, 3));
        using var cache = shard.CreateCache(8 * KvCache.PagePositions);
        var zeros = new Half[cache.PositionValues * cache.Limit];
        cache.Import(0, zeros);
        return cache.Share(8);
    }
}
