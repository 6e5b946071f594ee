using System.Collections.Immutable;

namespace EFedLLM.Actors.Blobs;

/// <summary>Decides which files make room for others.</summary>
internal static class BlobEviction
{
    /// <summary>The files to remove so that <paramref name="needed"/> more bytes fit, the longest unused first; null when even all of those that may go are too few.</summary>
    /// <param name="stored">What takes disk.</param>
    /// <param name="keep">Names of files that stay.</param>
    /// <param name="limit">Bytes that all together may take.</param>
    /// <param name="needed">Bytes that come.</param>
    public static ImmutableArray<string>? Choose(IReadOnlyCollection<StoredBlob> stored, IReadOnlySet<string> keep, long limit, long needed)
    {
        var free = limit - stored.Sum(blob => blob.Bytes);
        var gone = ImmutableArray.CreateBuilder<string>();
        foreach (var blob in stored.Where(blob => !keep.Contains(blob.Sha256)).OrderBy(blob => blob.Used).ThenBy(blob => blob.Sha256, StringComparer.Ordinal))
        {
            if (free >= needed)
            {
                break;
            }

            gone.Add(blob.Sha256);
            free += blob.Bytes;
        }

        return free >= needed ? gone.ToImmutable() : null;
    }
}
