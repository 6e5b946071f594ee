namespace EFedLLM.Transformer.Caching;

/// <summary>Whole pages that several caches hold at once: sessions that begin with the same tokens have the same keys and values, to the last bit.</summary>
public sealed partial class KvCache
{
    private readonly List<KvPage> _shared = []; // the first pages, which are not written to any more

    /// <summary>Gives the first pages to others, and goes on with them.</summary>
    /// <param name="pages">How many.</param>
    /// <exception cref="ArgumentOutOfRangeException">So many pages are not whole.</exception>
    /// <exception cref="InvalidOperationException">The range has no layers: there is nothing to share.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    public KvPage[] Share(int pages)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(pages);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pages, Length / PagePositions);
        if (PositionValues == 0)
        {
            throw new InvalidOperationException("A range without layers has no pages to share.");
        }

        while (_shared.Count < pages)
        {
            _shared.Add(new KvPage([.. _pages.GetRange(_shared.Count * _layers, _layers)]));
        }

        return [.. _shared.Take(pages)];
    }

    /// <summary>Begins with pages that a cache of the same model and range gave: its <see cref="Length"/> is then all of their positions.</summary>
    /// <exception cref="InvalidOperationException">It has begun already.</exception>
    /// <exception cref="ArgumentException">A page is of another range or model. Nothing has changed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">They are more positions than fit the limit. Nothing has changed.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    public void Adopt(ReadOnlySpan<KvPage> pages)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Length > 0 || Imported > 0)
        {
            throw new InvalidOperationException("Only an empty cache begins with pages of another one.");
        }

        CheckRoom((int)Math.Min((long)pages.Length * PagePositions, int.MaxValue));
        foreach (var page in pages)
        {
            if (PositionValues == 0 || page.Layers.Length != _layers || page.Layers.Any(layer => layer.Length != PageValues))
            {
                throw new ArgumentException($"A page of {page.Layers.Length} layers is not one of this range, which has {_layers} of {PageValues} values.", nameof(pages));
            }
        }

        _pages.Clear();
        foreach (var page in pages)
        {
            _pages.AddRange(page.Layers);
            _shared.Add(page);
        }

        Length = pages.Length * PagePositions;
    }

    /// <summary>What is written to from now on is nobody else's: pages from <paramref name="length"/> on are this cache's own, and the one that is cut there is copied.</summary>
    private void Unshare(int length)
    {
        var whole = length / PagePositions;
        if (whole >= _shared.Count)
        {
            return;
        }

        _shared.RemoveRange(whole, _shared.Count - whole);
        for (var page = whole * _layers; page < _pages.Count; page++)
        {
            _pages[page] = [.. _pages[page]];
        }
    }
}
