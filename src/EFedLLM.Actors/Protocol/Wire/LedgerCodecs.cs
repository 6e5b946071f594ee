using System.Collections.Immutable;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Trust;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>Messages to and from the ledger.</summary>
internal static class LedgerCodecs
{
    private const int Small = 1024;

    /// <summary>Most bytes of an entry, wherever it is: with a check whose reason is as long as it may be in any script.</summary>
    public const int EntryBytes = 3072;

    /// <summary>Most entries of a device's history that are kept and sent.</summary>
    public const int RecentEntries = 50;

    /// <summary>How each travels.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        WireCodec.Of<RecordWork, Form.RecordWork>("rw", EntryBytes, Form.RecordWork.Parser, Write, Read),
        WireCodec.Of<WorkRecorded, Form.WorkRecorded>("wr", Small, Form.WorkRecorded.Parser, Write, Read),
        WireCodec.Of<GetDeviceRecord, Form.GetDeviceRecord>("gr", Small, Form.GetDeviceRecord.Parser, Write, Read),
        WireCodec.Of<DeviceRecord, Form.DeviceRecord>("dr", (RecentEntries + 4) * EntryBytes, Form.DeviceRecord.Parser, Write, Read),
        WireCodec.Of<AccountRefused, Form.AccountRefused>("ax", EntryBytes, Form.AccountRefused.Parser, Write, Read),
        WireCodec.Of<ListLedgerDevices, Form.ListLedgerDevices>("ll", Small, Form.ListLedgerDevices.Parser, (_, _) => new Form.ListLedgerDevices(), (_, _) => new ListLedgerDevices()),
        WireCodec.Of<LedgerDevices, Form.LedgerDevices>("ld", ProtocolLimits.Devices * 32, Form.LedgerDevices.Parser, Write, Read),
        WireCodec.Of<StrikeVerdict, Form.StrikeVerdict>("st", EntryBytes, Form.StrikeVerdict.Parser, Write, Read),
        WireCodec.Of<StrikeAnswer, Form.StrikeAnswer>("sa", Small, Form.StrikeAnswer.Parser, Write, Read),
    ];

    /// <summary>What whoever reports signs: the message without key and signature. The same report has the same bytes on every node.</summary>
    public static byte[] ContentOf(RecordWork report) => Write(report).ToByteArray();

    private static Form.RecordWork Write(RecordWork message, ActorPaths _)
    {
        var form = Write(message);
        if (message.Signed is { } signed)
        {
            (form.PublicKey, form.Signature) = (ByteString.CopyFrom(signed.PublicKey.AsSpan()), ByteString.CopyFrom(signed.Signature.AsSpan()));
        }

        return form;
    }

    private static Form.RecordWork Write(RecordWork message) => new()
    {
        Id = Write(message.Id),
        Device = Values.Write(message.Device),
        Session = Values.Write(message.Session),
        Model = Values.Write(message.Model),
        Range = Values.Write(message.Range),
        Outcome = (int)message.Outcome,
        Tokens = message.Tokens,
        At = message.At.UtcTicks,
        Check = TrustCodecs.Write(message.Check),
        Size = Write(message.Size),
        Amount = message.Amount,
    };

    private static RecordWork Read(Form.RecordWork form, ActorPaths _) => new(
        Read(form.Id),
        Values.Device(form.Device, "device"),
        Values.Session(form.Session),
        Values.Model(form.Model),
        Values.Range(form.Range),
        Require.Defined<WorkOutcome>(form.Outcome, "outcome"),
        Values.Position(form.Tokens, "tokens"),
        Values.Moment(form.At, "at"),
        TrustCodecs.Read(form.Check, (WorkOutcome)form.Outcome))
    {
        Size = Read(form.Size),
        Amount = Require.UpTo(form.Amount, ProtocolLimits.Flop, "amount"),
        Signed = ReadSigned(form),
    };

    private static ReportSignature? ReadSigned(Form.RecordWork form) => (form.PublicKey.Length, form.Signature.Length) switch
    {
        (0, 0) => null,
        (DeviceKey.PublicKeyBytes, DeviceKey.SignatureBytes) => new ReportSignature([.. form.PublicKey.Span], [.. form.Signature.Span]),
        (DeviceKey.PublicKeyBytes, var bytes) => throw new MalformedMessageException($"signature has {bytes} bytes; it must have {DeviceKey.SignatureBytes}."),
        var (bytes, _) => throw new MalformedMessageException($"public_key has {bytes} bytes; it must have {DeviceKey.PublicKeyBytes}."),
    };

    private static Form.StrikeVerdict Write(StrikeVerdict message, ActorPaths _) => new()
    {
        Device = Values.Write(message.Device),
        Verdict = Values.Write(message.Verdict),
        Reason = message.Reason,
    };

    private static StrikeVerdict Read(Form.StrikeVerdict form, ActorPaths _) => new(
        Values.Device(form.Device, "device"),
        Values.Verdict(form.Verdict),
        Require.Text(form.Reason, ProtocolLimits.ReasonCharacters, "reason"));

    private static Form.AccountRefused Write(AccountRefused message, ActorPaths _) => new() { Device = Values.Write(message.Device), Problem = message.Problem };

    private static AccountRefused Read(Form.AccountRefused form, ActorPaths _)
        => new(Values.Device(form.Device, "device"), Require.Text(form.Problem, ProtocolLimits.ReasonCharacters, "problem"));

    private static Form.StrikeAnswer Write(StrikeAnswer message, ActorPaths _) => new()
    {
        Device = Values.Write(message.Device),
        Verdict = Values.Write(message.Verdict),
        Result = (int)message.Result,
        Server = (int)message.Server,
        Verifier = (int)message.Verifier,
    };

    private static StrikeAnswer Read(Form.StrikeAnswer form, ActorPaths _) => new(
        Values.Device(form.Device, "device"),
        Values.Verdict(form.Verdict),
        Require.Defined<StrikeResult>(form.Result, "result"),
        Require.Defined<TrustTier>(form.Server, "server"),
        Require.Defined<TrustTier>(form.Verifier, "verifier"));

    /// <summary>The form of a size of work; null where nobody can say.</summary>
    public static Form.WorkSize? Write(WorkSize? size) => size is { } work ? new Form.WorkSize { Flop = work.Flop, TokenFlop = work.TokenFlop } : null;

    /// <summary>A size of work; null where nobody can say.</summary>
    public static WorkSize? Read(Form.WorkSize? form) => form is null
        ? null
        : new WorkSize(Require.UpTo(form.Flop, ProtocolLimits.Flop, "flop"), Require.UpTo(form.TokenFlop, ProtocolLimits.Flop, "token_flop"));

    private static Form.WorkRecorded Write(WorkRecorded message, ActorPaths _) => new() { Id = Write(message.Id), Device = Values.Write(message.Device) };

    private static WorkRecorded Read(Form.WorkRecorded form, ActorPaths _) => new(Read(form.Id), Values.Device(form.Device, "device"));

    private static Form.GetDeviceRecord Write(GetDeviceRecord message, ActorPaths _) => new() { Device = Values.Write(message.Device) };

    private static GetDeviceRecord Read(Form.GetDeviceRecord form, ActorPaths _) => new(Values.Device(form.Device, "device"));

    private static Form.DeviceRecord Write(DeviceRecord message, ActorPaths _)
    {
        var form = new Form.DeviceRecord
        {
            Device = Values.Write(message.Device),
            Sessions = message.Sessions,
            Tokens = message.Tokens,
            LayerTokens = message.LayerTokens,
            TimeOuts = message.TimeOuts,
            Failures = message.Failures,
            Reward = message.Reward,
            Penalty = message.Penalty,
            Server = TrustCodecs.Write(message.Server),
            ServerTier = (int)message.ServerTier,
            Verifier = TrustCodecs.Write(message.Verifier),
            VerifierTier = (int)message.VerifierTier,
            Vested = message.Vested,
            Escrow = message.Escrow,
            Unvested = message.Unvested,
            Slashed = message.Slashed,
        };
        if (message.FirstSeen is { } first)
        {
            form.FirstSeen = first.UtcTicks;
        }

        if (message.LastSeen is { } last)
        {
            form.LastSeen = last.UtcTicks;
        }

        foreach (var entry in message.Recent.AsSpan())
        {
            form.Recent.Add(Write(entry));
        }

        return form;
    }

    private static DeviceRecord Read(Form.DeviceRecord form, ActorPaths _)
    {
        Require.Count(form.Recent.Count, RecentEntries, "recent");
        return new DeviceRecord(
            Values.Device(form.Device, "device"),
            form.HasFirstSeen ? Values.Moment(form.FirstSeen, "first_seen") : null,
            form.HasLastSeen ? Values.Moment(form.LastSeen, "last_seen") : null,
            Require.AtLeast(form.Sessions, 0, "sessions"),
            Require.AtLeast(form.Tokens, 0, "tokens"),
            Require.AtLeast(form.LayerTokens, 0, "layer_tokens"),
            Require.AtLeast(form.TimeOuts, 0, "time_outs"),
            Require.AtLeast(form.Failures, 0, "failures"),
            Require.NotNegative(form.Reward, "reward"),
            Require.NotNegative(form.Penalty, "penalty"),
            [.. form.Recent.Select(Read)])
        {
            Server = TrustCodecs.ReadStanding(form.Server),
            ServerTier = Tier(form.ServerTier, "server_tier"),
            Verifier = TrustCodecs.ReadStanding(form.Verifier),
            VerifierTier = Tier(form.VerifierTier, "verifier_tier"),
            Vested = Require.NotNegative(form.Vested, "vested"),
            Escrow = Require.NotNegative(form.Escrow, "escrow"),
            Unvested = Require.NotNegative(form.Unvested, "unvested"),
            Slashed = Require.NotNegative(form.Slashed, "slashed"),
        };
    }

    /// <summary>A ledger that knows nothing of checks sends none: to it every device is new.</summary>
    private static TrustTier Tier(int value, string field) => value == 0 ? TrustTier.Probation : Require.Defined<TrustTier>(value, field);

    /// <summary>An entry's form.</summary>
    public static Form.LedgerEntry Write(LedgerEntry entry)
    {
        var form = new Form.LedgerEntry
        {
            Session = Values.Write(entry.Session),
            Outcome = (int)entry.Outcome,
            Tokens = entry.Tokens,
            Range = Values.Write(entry.Range),
            At = entry.At.UtcTicks,
            Check = TrustCodecs.Write(entry.Check),
            Reporter = entry.Reporter is { } reporter ? Values.Write(reporter) : null,
        };
        if (entry.Verdict is { } verdict)
        {
            form.Verdict = Values.Write(verdict);
        }

        if (entry.Struck is { } struck)
        {
            form.Struck = struck;
        }

        return form;
    }

    /// <summary>An entry.</summary>
    public static LedgerEntry Read(Form.LedgerEntry form) => new(
        Values.Session(form.Session),
        Require.Defined<WorkOutcome>(form.Outcome, "outcome"),
        Values.Position(form.Tokens, "tokens"),
        Values.Range(form.Range),
        Values.Moment(form.At, "at"),
        TrustCodecs.Read(form.Check, (WorkOutcome)form.Outcome))
    {
        Verdict = form.HasVerdict ? Values.Verdict(form.Verdict) : null,
        Struck = form.HasStruck ? Require.Text(form.Struck, ProtocolLimits.ReasonCharacters, "struck") : null,
        Reporter = form.Reporter is { } reporter ? Values.Device(reporter, "reporter") : null,
    };

    private static Form.LedgerDevices Write(LedgerDevices message, ActorPaths _)
    {
        var form = new Form.LedgerDevices();
        foreach (var device in message.Devices.AsSpan())
        {
            form.Devices.Add(Values.Write(device));
        }

        return form;
    }

    private static LedgerDevices Read(Form.LedgerDevices form, ActorPaths _)
    {
        Require.Count(form.Devices.Count, ProtocolLimits.Devices, "devices");
        return new LedgerDevices([.. form.Devices.Select(device => Values.Device(device, "devices"))]);
    }

    /// <summary>A report id's form.</summary>
    public static Form.ReportId Write(ReportId id) => new() { Reporter = Values.Write(id.Reporter), Sequence = id.Sequence };

    /// <summary>A report id.</summary>
    public static ReportId Read(Form.ReportId? form)
    {
        var id = Require.Present(form, "id");
        return new ReportId(Values.Uuid(id.Reporter, "reporter"), Require.AtLeast(id.Sequence, 1, "sequence"));
    }
}
