using System.Collections.Immutable;

namespace EFedLLM.Actors.Blobs;

/// <summary>What happens while files are fetched.</summary>
internal abstract record FetchEvent
{
    private FetchEvent()
    {
    }

    /// <summary>The peers are others, or offer other things.</summary>
    public sealed record PeersChanged : FetchEvent;

    /// <summary>A transfer has ended.</summary>
    /// <param name="Transfer">The transfer.</param>
    /// <param name="Digest">The SHA-256 of what came, or null.</param>
    /// <param name="Arrived">Bytes that came.</param>
    /// <param name="Error">Why it ended otherwise, or null when it was abandoned.</param>
    public sealed record PieceEnded(Transfer Transfer, string? Digest, long Arrived, Exception? Error) : FetchEvent;

    /// <summary>The hash of a file is known.</summary>
    /// <param name="File">The file.</param>
    /// <param name="Hash">Its hash, lower-case hexadecimal.</param>
    /// <param name="Damaged">When it is wrong, the pieces that this machine changed.</param>
    /// <param name="Error">Why it cannot be known, or null.</param>
    public sealed record FileHashed(FileFetch File, string Hash, ImmutableArray<int> Damaged, Exception? Error) : FetchEvent;
}
