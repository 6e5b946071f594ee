using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>One hop's receipts in a session, and how far they are checked. It stays the same when the route around the hop is repaired.</summary>
/// <param name="hop">The hop.</param>
/// <param name="unit">Positions of a full unit.</param>
internal sealed class HopAudit(Hop hop, int unit)
{
    private readonly List<UnitSigned> _units = [];

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

    /// <summary>One past the last position that is checked.</summary>
    public int CheckedTo { get; private set; }

    /// <summary>One past the last position that is to be checked.</summary>
    public int WantedTo { get; private set; }

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
    public IReadOnlyList<SignedReceipt> Units => [.. _units.Select(signed => new SignedReceipt(signed.Receipt, signed.Signature))];

    /// <summary>Whether all that is to be checked is, or cannot be.</summary>
    public bool IsSettled => Problem is not null || CheckedTo >= WantedTo;

    /// <summary>The hop goes on in a route: what it signed from there on is void.</summary>
    /// <param name="index">Its place in the route.</param>
    /// <param name="start">Where it goes on: a multiple of the unit.</param>
    public void Resume(int index, int start)
    {
        Index = index;
        _units.RemoveAll(signed => signed.Receipt.Position >= start);
        if (_units.Count == 0 || _units[^1].Receipt.Position + _units[^1].Receipt.Rows < start)
        {
            // What lacks between was told already, or nothing of it had to be checked.
            _units.Clear();
            From = start;
        }

        (From, SignedTo) = (Math.Min(From, start), start);
        (CheckedTo, WantedTo, IsSealed) = (Math.Max(From, Math.Min(CheckedTo, start)), Math.Min(WantedTo, start), false);
        (Run, Dispute) = (null, null);
    }

    /// <summary>Takes a receipt. False when it does not follow what is there.</summary>
    public bool Add(UnitSigned signed)
    {
        var (position, rows) = (signed.Receipt.Position, signed.Receipt.Rows);
        if (position != SignedTo || rows < 1 || position % unit != 0 || rows > unit)
        {
            return false;
        }

        _units.Add(signed);
        SignedTo = position + rows;
        return true;
    }

    /// <summary>The receipt of the unit at a position, or null.</summary>
    public Receipt? Find(int position)
    {
        var at = (position - From) / unit;
        return position >= From && at < _units.Count && _units[at].Receipt.Position == position ? _units[at].Receipt : null;
    }

    /// <summary>A unit is to be checked.</summary>
    public void Want(int end) => WantedTo = Math.Max(WantedTo, end);

    /// <summary>A unit is checked.</summary>
    /// <param name="receipt">Its receipt.</param>
    /// <param name="verifier">Who recomputed it.</param>
    public void Pass(Receipt receipt, DeviceId verifier)
    {
        CheckedTo = Math.Max(CheckedTo, receipt.Position + receipt.Rows);
        if (!PassedBy.Contains(verifier) && PassedBy.Count < ProtocolLimits.SessionVerifiers)
        {
            PassedBy.Add(verifier);
        }

        Unreported = (verifier, Unreported.Rows == 0 ? receipt.Position : Unreported.From, Unreported.Rows + receipt.Rows);
    }
}

/// <summary>A hop and a verifier found different things for a unit.</summary>
/// <param name="Position">The unit.</param>
/// <param name="Verifier">The verifier.</param>
/// <param name="Key">The key of its check.</param>
/// <param name="Answer">What it answered.</param>
internal sealed record Dispute(int Position, Hop Verifier, Digest Key, Digest Answer);
