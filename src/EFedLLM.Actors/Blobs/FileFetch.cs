using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Blobs;

/// <summary>One file on its way: what is missing of it, who may give it, and what its hash says about those who did. For one thread at a time.</summary>
/// <param name="file">The file.</param>
/// <param name="part">Its pieces.</param>
internal sealed class FileFetch(WeightFile file, PartialBlob part)
{
    /// <summary>A peer that failed so often in a row is no witness while there is another.</summary>
    private const int MostFailures = 3;

    private readonly HashSet<DeviceId> _convicted = [];
    private readonly List<(int Piece, PieceNote Note)> _before = [];
    private bool _isDoubtful;
    private DeviceId? _witness;

    /// <summary>The file.</summary>
    public WeightFile File { get; } = file;

    /// <summary>Its pieces.</summary>
    public PartialBlob Part { get; } = part;

    /// <summary>Whether its hash is being computed.</summary>
    public bool IsHashing { get; set; }

    /// <summary>Whether it is there and its hash is right.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>The pieces that are not there.</summary>
    public IEnumerable<int> Missing => Enumerable.Range(0, Part.Pieces.Count).Where(piece => Part.Pieces[piece] is null);

    /// <summary>Whether all pieces are there, to be judged by their hash. Those that a hash has been found wrong of wait for a witness.</summary>
    public bool IsToBeHashed => !IsWhole && !IsHashing && (!_isDoubtful || _witness is not null) && !Missing.Any();

    /// <summary>Whether a peer may be asked for a piece of it.</summary>
    public bool MayGive(DeviceId peer) => !_convicted.Contains(peer) && (!_isDoubtful || peer == _witness);

    /// <summary>Sees to it that a doubtful file has a witness, from whom alone it is fetched.</summary>
    /// <param name="able">Peers that give it.</param>
    /// <returns>Bytes that count for nothing now: those of others than a new witness.</returns>
    public long ChooseWitness(IReadOnlyCollection<PeerRecord> able)
    {
        if (!_isDoubtful)
        {
            return 0;
        }

        var innocent = able.Where(peer => !_convicted.Contains(peer.Device)).ToArray();
        var steady = innocent.Where(peer => peer.Failures < MostFailures).ToArray();
        var choice = (steady.Length > 0 ? steady : innocent).Select(peer => peer.Device).ToArray();
        if (_witness is { } current && choice.Contains(current))
        {
            return 0;
        }

        _witness = BlameRules.Witness(Part.Pieces, choice);
        return _witness is { } chosen ? Drop(piece => Part.Pieces[piece]!.From != chosen) : 0;
    }

    /// <summary>All pieces are there and the hash of the whole is known.</summary>
    /// <param name="hash">It.</param>
    /// <param name="damaged">Pieces that this machine changed after they came; looked for when the hash is wrong.</param>
    /// <param name="lost">Bytes that count for nothing now.</param>
    /// <returns>Who is convicted.</returns>
    public ImmutableArray<DeviceId> Judge(string hash, ImmutableArray<int> damaged, out long lost)
    {
        lost = 0;
        if (hash == File.Sha256)
        {
            IsWhole = true;
            return [.. BlameRules.OfRight(Part.Pieces, _before).Where(_convicted.Add)];
        }

        if (damaged.Length > 0)
        {
            lost = Drop(damaged.Contains, isEvidence: false);
            return [];
        }

        _witness = null;
        if (BlameRules.OfWrong(Part.Pieces.OfType<PieceNote>()) is not { } liar)
        {
            _isDoubtful = true;
            return [];
        }

        lost = Drop(_ => true, isEvidence: false);
        return _convicted.Add(liar) ? [liar] : [];
    }

    private long Drop(Func<int, bool> which, bool isEvidence = true)
    {
        var bytes = 0L;
        for (var piece = 0; piece < Part.Pieces.Count; piece++)
        {
            if (Part.Pieces[piece] is not { } note || !which(piece))
            {
                continue;
            }

            if (isEvidence)
            {
                _before.Add((piece, note));
            }

            bytes += Part.LengthOf(piece);
            Part.Drop(piece);
        }

        return bytes;
    }
}
