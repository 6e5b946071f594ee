using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Caching;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// The pages of keys and values that a device keeps for sessions that begin with the same tokens, for all its shards. Those that were not used for the longest time
/// make room, the end of a text before its beginning. A session that has begun with a page holds it whatever becomes of it here. Thread-safe.
/// </summary>
/// <remarks>Every page is counted for whoever holds it: here, and in the memory that each session reserves for all its positions. So the memory in use is never more than what is reserved.</remarks>
/// <param name="budget">The memory they are part of.</param>
/// <param name="most">Most bytes of them.</param>
internal sealed class PrefixPages(CacheBudget budget, long most)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(Digest Scope, PageKey Key), LinkedListNode<Entry>> _pages = [];
    private readonly LinkedList<Entry> _order = []; // the one that was used last comes first
    private long _bytes;

    /// <summary>Bytes of the pages that are kept: part of <see cref="CacheBudget.Reserved"/>.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate)
            {
                return _bytes;
            }
        }
    }

    /// <summary>The first pages of a text, as many as there are without a gap.</summary>
    /// <param name="scope">Whose pages (<see cref="PrefixScope"/>).</param>
    /// <param name="keys">The names of the text's pages, from its first.</param>
    public KvPage[] Find(Digest scope, ReadOnlySpan<PageKey> keys)
    {
        var found = new List<KvPage>();
        lock (_gate)
        {
            foreach (var key in keys)
            {
                if (!_pages.TryGetValue((scope, key), out var node))
                {
                    break;
                }

                found.Add(node.Value.Page);
            }

            for (var page = found.Count - 1; page >= 0; page--)
            {
                Use(_pages[(scope, keys[page])]);
            }
        }

        return [.. found];
    }

    /// <summary>Keeps the first pages of a text, as many as there is memory for.</summary>
    /// <param name="owner">Who gives them, for <see cref="Forget"/>.</param>
    /// <param name="scope">Whose pages.</param>
    /// <param name="keys">The names of the text's pages, from its first.</param>
    /// <param name="pages">The pages, not more than names.</param>
    public void Keep(object owner, Digest scope, ReadOnlySpan<PageKey> keys, ReadOnlySpan<KvPage> pages)
    {
        lock (_gate)
        {
            // The last one first, so that the beginning is what was used last: without it the rest is of no use.
            for (var page = Math.Min(pages.Length, Fitting(pages)) - 1; page >= 0; page--)
            {
                if (_pages.TryGetValue((scope, keys[page]), out var node))
                {
                    Use(node);
                }
                else if (MakeRoom(pages[page].Bytes))
                {
                    _pages.Add((scope, keys[page]), _order.AddFirst(new Entry(owner, scope, keys[page], pages[page])));
                    _bytes += pages[page].Bytes;
                }
            }
        }
    }

    /// <summary>Makes room for others.</summary>
    /// <param name="bytes">How much is needed at least.</param>
    /// <returns>Whether there was any page to forget.</returns>
    public bool Free(long bytes)
    {
        lock (_gate)
        {
            var wanted = _bytes - bytes;
            var had = _order.Count > 0;
            while (_bytes > wanted && _order.Last is { } last)
            {
                Drop(last);
            }

            return had;
        }
    }

    /// <summary>Forgets all pages that somebody gave.</summary>
    public void Forget(object owner)
    {
        lock (_gate)
        {
            for (var node = _order.First; node is not null;)
            {
                var next = node.Next;
                if (ReferenceEquals(node.Value.Owner, owner))
                {
                    Drop(node);
                }

                node = next;
            }
        }
    }

    /// <summary>How many of the first pages fit at all.</summary>
    private int Fitting(ReadOnlySpan<KvPage> pages)
    {
        var left = most;
        for (var page = 0; page < pages.Length; page++)
        {
            left -= pages[page].Bytes;
            if (left < 0)
            {
                return page;
            }
        }

        return pages.Length;
    }

    private bool MakeRoom(long bytes)
    {
        while (_bytes > most - bytes || !budget.TryReserveFree(bytes))
        {
            if (_order.Last is not { } last)
            {
                return false;
            }

            Drop(last);
        }

        return true;
    }

    private void Use(LinkedListNode<Entry> node)
    {
        _order.Remove(node);
        _order.AddFirst(node);
    }

    private void Drop(LinkedListNode<Entry> node)
    {
        _order.Remove(node);
        _pages.Remove((node.Value.Scope, node.Value.Key));
        _bytes -= node.Value.Page.Bytes;
        budget.Release(node.Value.Page.Bytes);
    }

    private sealed record Entry(object Owner, Digest Scope, PageKey Key, KvPage Page);
}
