namespace EFedLLM.Transformer.Caching;

/// <summary>
/// One whole page of every layer of a range: the keys and values of <see cref="KvCache.PagePositions"/> positions. It is never written to again, so that the
/// caches of any sessions that begin with the same tokens may hold it at once, on any threads.
/// </summary>
public sealed class KvPage
{
    internal KvPage(Half[][] layers) => Layers = layers;

    /// <summary>Bytes of its keys and values.</summary>
    public long Bytes => Layers.Sum(layer => (long)layer.Length * KvCache.ValueBytes);

    /// <summary>The page of each layer of the range, as <see cref="KvCache"/> lays it out.</summary>
    internal Half[][] Layers { get; }
}
