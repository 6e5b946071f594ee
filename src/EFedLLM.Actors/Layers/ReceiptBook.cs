using System.Collections.Immutable;
using System.Runtime.InteropServices;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// What one session signs on one shard: it collects the digests of what is computed, and closes a unit with a signed receipt at every
/// multiple of <see cref="UnitCut.Rows"/>, or where it is told to. Of drafts nothing is signed before a step behind them shows that they were
/// right. The compute thread writes it, as it writes the session's cache; the shard's actor, while nothing computes, only says where the
/// session goes on.
/// </summary>
internal sealed class ReceiptBook
{
    private readonly DeviceKey _key;
    private readonly ModelId _model;
    private readonly LayerRange _range;
    private readonly ClusterId _cluster;
    private readonly SessionId _session;
    private readonly Digest _terms;
    private readonly Digest[] _in = new Digest[UnitCut.Rows + ProtocolLimits.Drafts];
    private readonly Digest[] _out = new Digest[UnitCut.Rows + ProtocolLimits.Drafts];
    private readonly Digest[] _kept = new Digest[UnitCut.Rows + ProtocolLimits.Drafts];
    private int _epoch;
    private int _hop;
    private int _position;
    private int _rows;
    private int _certain; // of the rows: the others are those of drafts
    private Digest _previous;
    private (int Epoch, int Hop, int Start)? _turn;

    /// <summary>One without entries.</summary>
    /// <param name="key">Signs.</param>
    /// <param name="model">The model.</param>
    /// <param name="range">The units of it that the shard computes.</param>
    /// <param name="open">The session's opening: its terms are signed with the first receipt of each epoch.</param>
    public ReceiptBook(DeviceKey key, ModelId model, LayerRange range, OpenSession open)
    {
        (_key, _model, _range, _cluster, _session, _epoch, _hop) = (key, model, range, open.Cluster, open.Session, open.Epoch, open.HopIndex);
        _previous = _terms = open.Terms.Hash;
    }

    /// <summary>
    /// From the next entry on it is about another epoch, whose first position is <paramref name="start"/>. What was computed before that
    /// position in the epoch until now, and is in no receipt yet, is signed as of that epoch; what was computed behind it is forgotten.
    /// The new epoch's chain of receipts begins anew.
    /// </summary>
    public void Turn(int epoch, int hop, int start) => _turn = (epoch, hop, start);

    /// <summary>Forgets drafts from a position on: those before it were right.</summary>
    public void TakeBack(int position)
    {
        if (_turn is null)
        {
            _certain = _rows = Math.Clamp(position - _position, _certain, _rows);
        }
    }

    /// <summary>Takes the next position, and gives the receipts of units that are complete. Where it is no draft's, those before it were right.</summary>
    /// <param name="position">The position: one behind the last.</param>
    /// <param name="input">The digest of what came in.</param>
    /// <param name="output">The digest of what went out.</param>
    /// <param name="kept">The digest of what it added to the cache.</param>
    /// <param name="isDraft">Whether the position is a draft's; at most <see cref="ProtocolLimits.Drafts"/> follow each other.</param>
    /// <param name="signed">Takes receipts.</param>
    public void Add(int position, Digest input, Digest output, Digest kept, bool isDraft, List<ISessionMessage> signed)
    {
        Follow(signed);
        if (position != _position + _rows)
        {
            throw new InvalidOperationException($"Position {position} does not follow {_position + _rows}, up to where the receipts go.");
        }

        (_in[_rows], _out[_rows], _kept[_rows]) = (input, output, kept);
        _rows++;
        if (!isDraft)
        {
            _certain = _rows;
            CloseWhole(signed);
        }
    }

    /// <summary>Signs what is opened. It reads nothing that the compute thread writes.</summary>
    /// <param name="rows">What is opened, with at least one row.</param>
    public KeptRows Sign(KeptRows rows) => rows with { Signature = ImmutableCollectionsMarshal.AsImmutableArray(_key.Sign(rows.OpeningOf(_cluster).ToStatement())) };

    /// <summary>Gives the receipt of what is in none yet, if there is anything.</summary>
    public void Seal(List<ISessionMessage> signed)
    {
        Follow(signed);
        CloseAll(signed);
    }

    private void Follow(List<ISessionMessage> signed)
    {
        if (_turn is { } turn)
        {
            _certain = _rows = Math.Clamp(turn.Start - _position, 0, _rows);
            CloseAll(signed);
            (_epoch, _hop, _position, _previous, _turn) = (turn.Epoch, turn.Hop, turn.Start, _terms, null);
        }
    }

    private void CloseAll(List<ISessionMessage> signed)
    {
        CloseWhole(signed);
        if (_certain > 0)
        {
            Close(_certain, signed);
        }
    }

    private void CloseWhole(List<ISessionMessage> signed)
    {
        for (var rows = UnitCut.EndOf(_position) - _position; _certain >= rows; rows = UnitCut.EndOf(_position) - _position)
        {
            Close(rows, signed);
        }
    }

    private void Close(int rows, List<ISessionMessage> signed)
    {
        var receipt = new Receipt(
            _cluster, _session, _epoch, _hop, _key.Device, _model, _range, _position, rows,
            Merkle.Root(_in.AsSpan(0, rows)), Merkle.Root(_out.AsSpan(0, rows)), Merkle.Root(_kept.AsSpan(0, rows)), _previous);
        var statement = receipt.ToStatement();
        signed.Add(UnitSigned.Of(new SignedReceipt(receipt, ImmutableCollectionsMarshal.AsImmutableArray(_key.Sign(statement)))));
        foreach (var digests in (ReadOnlySpan<Digest[]>)[_in, _out, _kept])
        {
            digests.AsSpan(rows, _rows - rows).CopyTo(digests);
        }

        (_previous, _position, _rows, _certain) = (Digest.Of(statement.Bytes), _position + rows, _rows - rows, _certain - rows);
    }
}
