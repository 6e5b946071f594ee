namespace EFedLLM.Transformer.Kernels;

/// <summary>How the products of matrices are cut into pieces that a core's caches hold. Pure: a function of their sizes. The bits of a result do not depend on it.</summary>
/// <param name="Caches">The caches.</param>
public sealed record Blocking(CacheSizes Caches)
{
    /// <summary>The fewest rows of a matrix that are computed at once: as many as give memory enough to do.</summary>
    public const int LeastWindowRows = 64;

    /// <summary>The most.</summary>
    public const int MostWindowRows = 256;

    /// <summary>Windows begin at multiples of so many rows: two columns of the widest registers.</summary>
    private const int Step = 32;

    private const long MostNearBytes = 64 << 10;

    /// <summary>What is chosen for this processor.</summary>
    public static Blocking Here { get; } = new(CacheSizes.Here);

    /// <summary>How far ahead of a tile the tile after it may lie to be fetched as a whole: an eighth of the second level, so that nothing in use has to make room.</summary>
    public long NearBytes => Math.Min(Caches.Level2 / 8, MostNearBytes);

    /// <summary>
    /// Rows of a matrix that many tokens pass over before the next rows come: their weights fill half of the second level, so that they are fetched once and
    /// what the tokens bring has room beside them. The more rows, the fewer times all tokens are read.
    /// </summary>
    /// <param name="rowBytes">Bytes of a row of weights, at least 1.</param>
    public int WindowRows(long rowBytes) => (int)Math.Clamp(Caches.Level2 / 2 / rowBytes / Step * Step, LeastWindowRows, MostWindowRows);
}
