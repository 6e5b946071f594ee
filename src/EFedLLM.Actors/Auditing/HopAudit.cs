using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Auditing;

/// <summary>One hop's receipts in a session, and how far they are checked. It stays the same when the route around the hop is repaired.</summary>
/// <param name="hop">The hop.</param>
/// <param name="unit">Positions of a full unit.</param>
/// <param name="terms">The session's terms.</param>
internal sealed class HopAudit(Hop hop, int unit, SessionTerms terms)
{
    private readonly List<SignedReceipt> _units = [];
    private readonly SortedSet<int> _wanted = []; // the first positions of units that are to be checked and are not
    private readonly HashSet<int> _checked = []; // the first positions of those that are
    private readonly Digest _terms = terms.Hash;
    private Digest _previous;

    /// <summary>The hop.</summary>
    public Hop Hop => hop;

    /// <summary>The public key of its device, once it is known: it never changes, as the id is its hash.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; set; }

    /// <summary>Its place in the current route.</summary>
    public int Index { get; private set; }

    /// <summary>The first position that it signed.</summary>
    public int From { get; private set; }

    /// <summary>One past the last position that it signed.</summary>
    public int SignedTo { get; private set; }

    /// <summary>One past the last position up to which everything is checked: a unit that nobody chose ends it.</summary>
    public int CheckedTo { get; private set; }

    /// <summary>One past the last position that was ever to be checked.</summary>
    public int WantedTo { get; private set; }

    /// <summary>The first position of the unit that is next to be checked; none while all are that are to be.</summary>
    public int? Next => _wanted.Count > 0 ? _wanted.Min : null;

    /// <summary>Whether what it opened was of no use, so that it is recomputed from what came in alone.</summary>
    public bool OpensInVain { get; set; }

    /// <summary>Checks that passed and are not reported yet: by whom, the first position, and how many.</summary>
    public (DeviceId Verifier, int From, int Rows) Unreported { get; set; }

    /// <summary>Whether it has signed all that it computed.</summary>
    public bool IsSealed { get; set; }

    /// <summary>Positions that it says it computed, where <see cref="IsSealed"/>.</summary>
    public int Length { get; set; }

    /// <summary>The check that runs, or null.</summary>
    public AuditRun? Run { get; set; }

    /// <summary>The verifier that found something else for the unit that is next to be checked; null when there is none.</summary>
    public Dispute? Dispute { get; set; }

    /// <summary>Why the rest cannot be checked, for people; null while it can.</summary>
    public string? Problem { get; set; }

    /// <summary>Who checked it in this session, oldest first.</summary>
    public List<DeviceId> Verifiers { get; } = [];

    /// <summary>Whose checks passed in this session, in the order in which they first did.</summary>
    public List<DeviceId> PassedBy { get; } = [];

    /// <summary>Verifiers that are not asked again in this session.</summary>
    public HashSet<DeviceId> Spent { get; } = [];

    /// <summary>Its receipts, in order.</summary>
    public IReadOnlyList<SignedReceipt> Units => _units;

    /// <summary>Whether all that is to be checked is, or cannot be.</summary>
    public bool IsSettled => Problem is not null || _wanted.Count == 0;

    /// <summary>The hop goes on in a route: what it signed from there on is void.</summary>
    /// <param name="index">Its place in the route.</param>
    /// <param name="start">Where it goes on: a multiple of the unit.</param>
    public void Resume(int index, int start)
    {
        Index = index;
        _units.RemoveAll(signed => signed.Receipt.Position >= start);
        _wanted.RemoveWhere(position => position >= start);
        _checked.RemoveWhere(position => position >= start);
        if (_units.Count == 0 || _units[^1].Receipt.Position + _units[^1].Receipt.Rows < start)
        {
            // What lacks between was told already, or nothing of it had to be checked.
            _units.Clear();
            _wanted.Clear();
            _checked.Clear();
            From = start;
        }

        (From, SignedTo) = (Math.Min(From, start), start);
        (CheckedTo, WantedTo, IsSealed) = (Math.Max(From, Math.Min(CheckedTo, start)), Math.Min(WantedTo, start), false);
        (Run, Dispute, _previous) = (null, null, _terms);
    }

    /// <summary>The receipt that a message carries, or null where it does not follow what is there: what came before it in the epoch is signed with it.</summary>
    /// <param name="message">The message.</param>
    public SignedReceipt? Follow(UnitSigned message)
        => message.Position == SignedTo && message.Position % unit == 0 && message.Rows >= 1 && message.Rows <= unit ? ReceiptOf(message, _previous) : null;

    /// <summary>The receipt that a message carries where the hop has signed the same unit in the same epoch already, and something else; or null.</summary>
    /// <param name="message">The message.</param>
    /// <returns>What it signed before, and what it signs now, if the signature stands for it.</returns>
    public (SignedReceipt Before, SignedReceipt Now)? Contradiction(UnitSigned message)
    {
        if (message.Position >= SignedTo || _units.Find(signed => signed.Receipt.Position == message.Position && signed.Receipt.Epoch == message.Epoch) is not { } before)
        {
            return null;
        }

        var now = ReceiptOf(message, before.Receipt.Previous);
        return now.Receipt == before.Receipt ? null : (before, now);
    }

    /// <summary>Takes a receipt that follows what is there.</summary>
    public void Add(SignedReceipt signed)
    {
        _units.Add(signed);
        (SignedTo, _previous) = (signed.Receipt.Position + signed.Receipt.Rows, signed.Receipt.Hash);
    }

    /// <summary>The receipt of the unit at a position, or null.</summary>
    public Receipt? Find(int position) => FindSigned(position)?.Receipt;

    /// <summary>The same with its signature.</summary>
    public SignedReceipt? FindSigned(int position)
    {
        var at = (position - From) / unit;
        return position >= From && at < _units.Count && _units[at].Receipt.Position == position ? _units[at] : null;
    }

    /// <summary>A unit is to be checked.</summary>
    public void Want(Receipt receipt)
    {
        WantedTo = Math.Max(WantedTo, receipt.Position + receipt.Rows);
        if (!_checked.Contains(receipt.Position))
        {
            _wanted.Add(receipt.Position);
        }
    }

    /// <summary>Every unit that it signed is to be checked.</summary>
    public void WantAll()
    {
        foreach (var signed in _units)
        {
            Want(signed.Receipt);
        }
    }

    /// <summary>Whether the unit at a position is checked.</summary>
    public bool IsChecked(int position) => _checked.Contains(position);

    /// <summary>A unit is checked.</summary>
    /// <param name="receipt">Its receipt.</param>
    /// <param name="verifier">Who recomputed it.</param>
    public void Pass(Receipt receipt, DeviceId verifier)
    {
        _wanted.Remove(receipt.Position);
        if (!_checked.Add(receipt.Position))
        {
            return;
        }

        if (!PassedBy.Contains(verifier) && PassedBy.Count < ProtocolLimits.SessionVerifiers)
        {
            PassedBy.Add(verifier);
        }

        Unreported = (verifier, Unreported.Rows == 0 ? receipt.Position : Unreported.From, Unreported.Rows + receipt.Rows);
        while (_checked.Contains(CheckedTo) && Find(CheckedTo) is { } next)
        {
            CheckedTo += next.Rows;
        }
    }

    /// <summary>The receipt that a message carries. What the session knows itself is not believed but put in: whoever signed something else has not signed it.</summary>
    private SignedReceipt ReceiptOf(UnitSigned message, Digest previous)
        => (message with { Session = terms.Session, HopIndex = Index }).ReceiptOf(terms.Cluster, hop.Device, terms.Model, hop.Range, previous);
}

/// <summary>A hop and a verifier found different things for a unit, or the gateway looks itself whether what both found is right.</summary>
/// <param name="Position">The unit.</param>
/// <param name="Verifier">The verifier; null for the gateway's own judge, which had not recomputed everything before the unit.</param>
/// <param name="Key">The key of its check.</param>
/// <param name="Answer">What it answered.</param>
/// <param name="Agrees">Whether it answered what the hop signed.</param>
internal sealed record Dispute(int Position, Hop? Verifier, Digest Key, Digest Answer, bool Agrees = false);
