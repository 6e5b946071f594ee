using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// What proves a verdict to others. That is possible where the gateway's judge recomputed what a device signed, and where what it signed
/// contradicts itself. What a device only said beside its signatures (which token it drew, which keys and values it keeps) proves nothing to
/// anybody who did not hear it: of that the ledger has the gateway's word alone.
/// </summary>
internal sealed partial class SessionAudit
{
    private const string WrongResult = "it signed another result than the right one.";

    private long _keptBytes;

    /// <summary>Keeps what the judge is given, as far as that is not too much.</summary>
    private void Remember(AuditRun run, ReadOnlyMemory<float> hidden)
    {
        if (!run.IsJudge || run.Kept is not { } kept)
        {
            return;
        }

        var bytes = (long)hidden.Length * sizeof(float);
        if (_keptBytes + bytes > _audit.Settings.ProofBytes)
        {
            Forget(run);
            return;
        }

        kept.Add(hidden);
        run.KeptBytes += bytes;
        _keptBytes += bytes;
    }

    private void Forget(AuditRun run)
    {
        _keptBytes -= run.KeptBytes;
        (run.Kept, run.KeptBytes) = (null, 0);
    }

    private void ConvictByProof(HopAudit hop, AuditRun run, Receipt receipt, Digest right, DeviceId? verifier)
    {
        var found = Signed(receipt, run.Key);
        Convict(hop, receipt.Position, CheckOutcome.Hard, right, found, WrongResult, verifier, Prove(hop, run, receipt, right));
    }

    /// <summary>Has what proves a verdict kept; or says why there is nothing.</summary>
    private Proven Prove(HopAudit hop, AuditRun run, Receipt receipt, Digest right)
    {
        var (end, isFirst, isHead) = (receipt.Position + receipt.Rows, hop.Index == 0, hop.Index == _route.Hops.Length - 1);
        if (hop.From > 0)
        {
            return new Proven(default, " It is not proven to others: its receipts do not begin with the session.");
        }

        var rows = isFirst ? [] : Rows(run, end);
        var tokens = isFirst ? _tokens(0, end) : [];
        if ((isFirst ? tokens.Length : rows?.Length / _plan.Model.HiddenSize) != end)
        {
            return new Proven(default, " It is not proven to others: what it was given is more than efedllm.trust.proof-bytes.");
        }

        var proof = new WorkProof(
            KeyOf(hop),
            _terms,
            [.. hop.Units.TakeWhile(signed => signed.Receipt.Position <= receipt.Position)],
            tokens,
            rows,
            isHead ? [.. Enumerable.Range(receipt.Position, receipt.Rows).Select(row => _drawn.GetValueOrDefault(row))] : [],
            right);
        if (ProofRules.Problem(proof) is { } problem)
        {
            return new Proven(default, $" It is not proven to others: {problem}");
        }

        var bytes = proof.ToBytes();
        if (bytes.Length > WorkProof.MostBytes)
        {
            return new Proven(default, " It is not proven to others: the proof would be too large.");
        }

        return Keep(bytes);
    }

    private Proven Keep(byte[] bytes)
    {
        _do(new KeepProof(bytes));
        return new Proven(Digest.Of(bytes), "");
    }

    /// <summary>What the judge was given up to a position, [positions, hidden]; null where not all of it was kept.</summary>
    private float[]? Rows(AuditRun run, int positions)
    {
        var length = (long)positions * _plan.Model.HiddenSize;
        if (run.Kept is not { } kept || run.KeptBytes < length * sizeof(float))
        {
            return null;
        }

        var rows = new float[length];
        var rest = rows.AsSpan();
        foreach (var piece in kept)
        {
            var part = piece.Span[..Math.Min(piece.Length, rest.Length)];
            part.CopyTo(rest);
            rest = rest[part.Length..];
        }

        return rows;
    }

    /// <summary>The public key of a hop's device, 32 bytes; empty where none was ever known.</summary>
    public ReadOnlyMemory<byte> KeyOf(HopAudit hop)
    {
        if (hop.PublicKey.IsEmpty)
        {
            hop.PublicKey = KeyOf(hop.Hop.Device);
        }

        return hop.PublicKey;
    }

    private ReadOnlyMemory<byte> KeyOf(DeviceId device) => _view.Devices.FirstOrDefault(known => known.Device == device)?.PublicKey ?? default;

    /// <summary>What proves a verdict.</summary>
    /// <param name="Proof">The hash of the proof; all zero where there is none.</param>
    /// <param name="Lack">Why there is none, behind the verdict's reason.</param>
    private readonly record struct Proven(Digest Proof, string Lack);
}
