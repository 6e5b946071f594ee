using System.Collections.Immutable;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Protocol;

/// <summary>What a device did in a session.</summary>
public enum WorkOutcome
{
    /// <summary>It computed its part.</summary>
    Served = 1,

    /// <summary>It did not answer in time, or died.</summary>
    TimedOut = 2,

    /// <summary>It answered that it failed, or answered nonsense.</summary>
    Failed = 3,

    /// <summary>It gave a file that is not the one it was asked for.</summary>
    Corrupt = 4,

    /// <summary>Its work was checked: the report says how that went.</summary>
    Checked = 5,

    /// <summary>It checked another's work, and what it found holds.</summary>
    Verified = 6,

    /// <summary>It found another out: the other's entry in the ledger says what that is worth.</summary>
    Found = 7,
}

/// <summary>Whose word a report is.</summary>
/// <param name="PublicKey">The public key of whoever reports, whose hash is its device id.</param>
/// <param name="Signature">Its signature of the report.</param>
public sealed record ReportSignature(ImmutableArray<byte> PublicKey, ImmutableArray<byte> Signature)
{
    /// <summary>Whoever reports.</summary>
    /// <exception cref="ArgumentException">The key is none.</exception>
    public DeviceId Reporter => DeviceKey.IdOf(PublicKey.AsSpan());

    /// <inheritdoc/>
    public bool Equals(ReportSignature? other) => other is not null && PublicKey.AsSpan().SequenceEqual(other.PublicKey.AsSpan())
        && Signature.AsSpan().SequenceEqual(other.Signature.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => PublicKey.IsDefaultOrEmpty ? 0 : HashCode.Combine(PublicKey[0], PublicKey[^1], PublicKey.Length);
}

/// <summary>
/// To the ledger: what a device did, signed by whoever says so. Answered by <see cref="WorkRecorded"/> once it is on disk; one that is not truly
/// signed is not answered.
/// </summary>
/// <param name="Id">Counts once.</param>
/// <param name="Device">The device.</param>
/// <param name="Session">The session.</param>
/// <param name="Model">The model.</param>
/// <param name="Range">The units it computed.</param>
/// <param name="Outcome">What it did.</param>
/// <param name="Tokens">Positions it computed; those of the unit where its work was checked.</param>
/// <param name="At">When, by the reporter's clock.</param>
/// <param name="Check">What the check showed, where the outcome is <see cref="WorkOutcome.Checked"/>; else null.</param>
public sealed record RecordWork(
    ReportId Id, DeviceId Device, SessionId Session, ModelId Model, LayerRange Range, WorkOutcome Outcome, int Tokens, DateTimeOffset At, CheckFacts? Check = null) : ICommand
{
    /// <summary>How much work it was; null where nobody can say.</summary>
    public WorkSize? Size { get; init; }

    /// <summary>What it earns where the outcome is <see cref="WorkOutcome.Found"/>, above 0: said by the ledger's entity of whom it found out. Else 0.</summary>
    public double Amount { get; init; }

    /// <summary>Whose word it is; null while it waits to be sent, as it is signed then.</summary>
    public ReportSignature? Signed { get; init; }
}

/// <summary>The ledger has it on disk (now or before), or never counts it, because it has excluded whoever reports: it need not be sent again.</summary>
/// <param name="Id">The report.</param>
/// <param name="Device">The device.</param>
public sealed record WorkRecorded(ReportId Id, DeviceId Device) : IEvent;

/// <summary>To the ledger: what is known of a device. Answered by <see cref="DeviceRecord"/>.</summary>
/// <param name="Device">The device.</param>
public sealed record GetDeviceRecord(DeviceId Device) : IQuery;

/// <summary>What the ledger knows of a device.</summary>
/// <param name="Device">The device.</param>
/// <param name="FirstSeen">Time of the first entry, or null when there is none.</param>
/// <param name="LastSeen">Time of the last entry, or null.</param>
/// <param name="Sessions">Sessions it served to their end.</param>
/// <param name="Tokens">Positions it computed in them.</param>
/// <param name="LayerTokens">Positions times units: the work, from which rewards are computed.</param>
/// <param name="TimeOuts">Sessions it lost by not answering.</param>
/// <param name="Failures">Sessions it lost by failing, and files it gave that were others.</param>
/// <param name="Reward">Credit earned.</param>
/// <param name="Penalty">Credit lost.</param>
/// <param name="Recent">The latest entries, newest first, at most 50: of work, of checks that passed and of checks that failed the latest 16 each, where there are so many.</param>
public sealed record DeviceRecord(
    DeviceId Device,
    DateTimeOffset? FirstSeen,
    DateTimeOffset? LastSeen,
    long Sessions,
    long Tokens,
    long LayerTokens,
    long TimeOuts,
    long Failures,
    double Reward,
    double Penalty,
    ImmutableArray<LedgerEntry> Recent) : IEvent
{
    /// <summary>What of <see cref="Reward"/> is the device's own: it lay for as long as it can be lost, and nothing spoke against the device at its end.</summary>
    public double Vested { get; init; }

    /// <summary>What of it is held back as long as the device is here: hard failures take from it first.</summary>
    public double Escrow { get; init; }

    /// <summary>What of it can still be lost, and becomes the device's own.</summary>
    public double Unvested { get; init; }

    /// <summary>What of it was taken for hard failures.</summary>
    public double Slashed { get; init; }

    /// <summary>What checks have shown of it as a server.</summary>
    public RoleStanding Server { get; init; } = RoleStanding.New;

    /// <summary>How far it is trusted as a server, by the ledger's settings.</summary>
    public TrustTier ServerTier { get; init; } = TrustTier.Probation;

    /// <summary>What checks have shown of it as a verifier.</summary>
    public RoleStanding Verifier { get; init; } = RoleStanding.New;

    /// <summary>How far it is trusted as a verifier.</summary>
    public TrustTier VerifierTier { get; init; } = TrustTier.Probation;

    /// <inheritdoc/>
    public bool Equals(DeviceRecord? other) => other is not null && Device == other.Device && FirstSeen == other.FirstSeen && LastSeen == other.LastSeen
        && Sessions == other.Sessions && Tokens == other.Tokens && LayerTokens == other.LayerTokens && TimeOuts == other.TimeOuts
        && Failures == other.Failures && Reward.Equals(other.Reward) && Penalty.Equals(other.Penalty)
        && Vested.Equals(other.Vested) && Escrow.Equals(other.Escrow) && Unvested.Equals(other.Unvested) && Slashed.Equals(other.Slashed)
        && Server.Equals(other.Server) && ServerTier == other.ServerTier && Verifier.Equals(other.Verifier) && VerifierTier == other.VerifierTier
        && Recent.AsSpan().SequenceEqual(other.Recent.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Device, Sessions, Tokens);
}

/// <summary>The ledger's answer to <see cref="GetDeviceRecord"/> and <see cref="StrikeVerdict"/> where somebody wrote into the device's journal: it says nothing of the device, and counts nothing, until the journal is whole again.</summary>
/// <param name="Device">The device.</param>
/// <param name="Problem">What is wrong with the journal, for people; at most <see cref="ProtocolLimits.ReasonCharacters"/> characters.</param>
public sealed record AccountRefused(DeviceId Device, string Problem) : IEvent
{
    /// <summary>What is wrong, and what to do, for people.</summary>
    public string Describe() => $"The ledger's journal of device {Device} is not as the ledger wrote it: {Problem}. Nothing is counted for this device, or told of it, until it is. "
        + "Stop the ledger nodes, bring the ledger's database back from a copy, and start them again.";
}

/// <summary>One entry of a device's history.</summary>
/// <param name="Session">The session.</param>
/// <param name="Outcome">What the device did.</param>
/// <param name="Tokens">Positions it computed.</param>
/// <param name="Range">The units.</param>
/// <param name="At">When.</param>
/// <param name="Check">What the check showed, where its work was checked; else null.</param>
public sealed record LedgerEntry(SessionId Session, WorkOutcome Outcome, int Tokens, LayerRange Range, DateTimeOffset At, CheckFacts? Check = null)
{
    /// <summary>Names the verdict, where the check failed; null of entries from before verdicts had names.</summary>
    public VerdictId? Verdict { get; init; }

    /// <summary>Why the verdict was taken back; null where it stands.</summary>
    public string? Struck { get; init; }

    /// <summary>Who reported it; null of entries from before reports were signed.</summary>
    public DeviceId? Reporter { get; init; }
}

/// <summary>To the ledger: which devices it knows. Answered by <see cref="LedgerDevices"/>.</summary>
public sealed record ListLedgerDevices : IQuery;

/// <summary>The devices the ledger knows, in order of their ids.</summary>
/// <param name="Devices">The devices.</param>
public sealed record LedgerDevices(ImmutableArray<DeviceId> Devices) : IEvent
{
    /// <inheritdoc/>
    public bool Equals(LedgerDevices? other) => other is not null && Devices.AsSpan().SequenceEqual(other.Devices.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Devices.Length;
}

/// <summary>
/// To the ledger: take a verdict on a device back, so that all is as if it had never been. Answered by <see cref="StrikeAnswer"/> once that is on
/// disk; a verdict is taken back once, however often that is asked for.
/// </summary>
/// <param name="Device">The device.</param>
/// <param name="Verdict">The verdict.</param>
/// <param name="Reason">Why, for people; at most <see cref="ProtocolLimits.ReasonCharacters"/> characters.</param>
public sealed record StrikeVerdict(DeviceId Device, VerdictId Verdict, string Reason) : ICommand;

/// <summary>What came of <see cref="StrikeVerdict"/>.</summary>
public enum StrikeResult
{
    /// <summary>The verdict is taken back, now or before.</summary>
    Struck = 1,

    /// <summary>The ledger knows no such verdict on the device, or it is so old that the device cannot be judged again without it.</summary>
    Unknown = 2,

    /// <summary>Two verdicts on the device have that name.</summary>
    Ambiguous = 3,
}

/// <summary>The ledger's answer to <see cref="StrikeVerdict"/>.</summary>
/// <param name="Device">The device.</param>
/// <param name="Verdict">The verdict.</param>
/// <param name="Result">What came of it.</param>
/// <param name="Server">How far the device is trusted as a server now.</param>
/// <param name="Verifier">How far it is trusted as a verifier now.</param>
public sealed record StrikeAnswer(DeviceId Device, VerdictId Verdict, StrikeResult Result, TrustTier Server, TrustTier Verifier) : IEvent;
