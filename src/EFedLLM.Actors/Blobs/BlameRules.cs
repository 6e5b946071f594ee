using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Blobs;

/// <summary>
/// Finds out who gave what is not the file, when all that is known is the hash of the whole. A file that came from one peer alone and has
/// the wrong hash convicts that peer. One that came from several is fetched again from one of them alone: either the hash is wrong, and
/// that one is convicted; or it is right, and then everybody is whose pieces differ from it. So each round convicts somebody, and nobody
/// is convicted of another's lie.
/// </summary>
internal static class BlameRules
{
    /// <summary>Who is convicted by a file's wrong hash: the one who gave all of it, or nobody yet.</summary>
    /// <param name="pieces">Its pieces.</param>
    public static DeviceId? OfWrong(IEnumerable<PieceNote> pieces)
    {
        var givers = pieces.Select(piece => piece.From).Distinct().Take(2).ToArray();
        return givers.Length == 1 ? givers[0] : null;
    }

    /// <summary>Who is convicted by a file's right hash: everybody who gave another piece in its place before.</summary>
    /// <param name="pieces">Its pieces.</param>
    /// <param name="before">What was given before, with the piece's index.</param>
    public static ImmutableArray<DeviceId> OfRight(IReadOnlyList<PieceNote?> pieces, IEnumerable<(int Piece, PieceNote Note)> before)
        => [.. before.Where(each => each.Note.Digest != pieces[each.Piece]?.Digest).Select(each => each.Note.From).Distinct()];

    /// <summary>Whom to fetch a doubtful file from alone: of those who may be asked, the one who gave the most of it.</summary>
    /// <param name="pieces">What is there of it.</param>
    /// <param name="able">Who may be asked, in a fixed order.</param>
    public static DeviceId? Witness(IEnumerable<PieceNote?> pieces, IReadOnlyCollection<DeviceId> able)
    {
        var given = pieces.OfType<PieceNote>().CountBy(piece => piece.From).ToDictionary();
        return able.Count == 0 ? null : able.MaxBy(device => given.GetValueOrDefault(device));
    }
}
