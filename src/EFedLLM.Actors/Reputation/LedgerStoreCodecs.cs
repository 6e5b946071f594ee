using System.Collections.Immutable;
using System.Text;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Reputation;

/// <summary>What the ledger keeps on disk, to its forms and back.</summary>
internal static class LedgerStoreCodecs
{
    private const int Small = 2048;
    private const int StateBytes = 1024 * 1024;

    private static readonly MessageParser<Form.LinkedEntry> LinkedParser = Form.LinkedEntry.Parser.WithDiscardUnknownFields(true);

    private static readonly ImmutableArray<WireCodec> Entries =
    [
        WireCodec.Of<WorkCounted, Form.WorkCounted>("wc", LedgerCodecs.EntryBytes, Form.WorkCounted.Parser, Write, Read),
        WireCodec.Of<ReputationState, Form.ReputationState>("rs", StateBytes, Form.ReputationState.Parser, Write, Read),
        WireCodec.Of<DeviceReturned, Form.DeviceReturned>("rt", Small, Form.DeviceReturned.Parser, (back, _) => HistoryCodecs.Write(back), (form, _) => HistoryCodecs.Read(form)),
        WireCodec.Of<VerdictStruck, Form.VerdictStruck>("vs", Small, Form.VerdictStruck.Parser, Write, Read),
        WireCodec.Of<FinderPaid, Form.FinderPaid>("fp", Small, Form.FinderPaid.Parser, (paid, _) => new Form.FinderPaid { Number = paid.Number }, (form, _) => new FinderPaid(Require.AtLeast(form.Number, 1, "number"))),
    ];

    /// <summary>How each is stored.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        .. Entries,
        new WireCodec(typeof(LinkedEntry), "le", StateBytes + Small, (row, paths) => Write((LinkedEntry)row, paths), ReadLinked),
    ];

    /// <summary>SHA-256 of an entry's manifest, a line of its own, and of its bytes behind it.</summary>
    /// <param name="entry">The entry, itself not linked.</param>
    public static Digest BodyOf(ILedgerStored entry)
    {
        // None of them holds an actor's path.
        var codec = Entries.First(one => one.Type == entry.GetType());
        return BodyOf(codec.Manifest, codec.Encode(entry, null!));
    }

    private static Digest BodyOf(string manifest, byte[] bytes) => Digest.Of([.. Encoding.ASCII.GetBytes(manifest), (byte)'\n', .. bytes]);

    private static byte[] Write(LinkedEntry row, ActorPaths paths)
    {
        var codec = Entries.First(one => one.Type == row.Entry.GetType());
        return new Form.LinkedEntry
        {
            Manifest = codec.Manifest,
            Entry = UnsafeByteOperations.UnsafeWrap(codec.Encode(row.Entry, paths)),
            Previous = Values.Write(row.Previous),
            Link = Values.Write(row.Link),
        }.ToByteArray();
    }

    private static LinkedEntry ReadLinked(byte[] bytes, ActorPaths paths)
    {
        var form = LinkedParser.ParseFrom(bytes);
        var codec = Entries.FirstOrDefault(one => one.Manifest == form.Manifest) ?? throw new MalformedMessageException("manifest names no entry.");
        var entry = form.Entry.ToByteArray();
        return new LinkedEntry((ILedgerStored)codec.Decode(entry, paths), BodyOf(form.Manifest, entry), Values.Digest(form.Previous, "previous"), Values.Digest(form.Link, "link"));
    }

    private static Form.WorkCounted Write(WorkCounted entry, ActorPaths _)
    {
        var form = new Form.WorkCounted
        {
            Id = LedgerCodecs.Write(entry.Id),
            Device = Values.Write(entry.Device),
            Session = Values.Write(entry.Session),
            Model = Values.Write(entry.Model),
            Range = Values.Write(entry.Range),
            Outcome = (int)entry.Outcome,
            Tokens = entry.Tokens,
            At = entry.At.UtcTicks,
            Reward = entry.Reward,
            Penalty = entry.Penalty,
            Check = TrustCodecs.Write(entry.Check),
            Terms = entry.Terms is { } terms ? HistoryCodecs.Write(terms) : null,
            Account = entry.Account is { } account ? HistoryCodecs.Write(account) : null,
            Reporter = entry.Reporter is { } reporter ? Values.Write(reporter) : null,
        };
        if (entry.CountedAt is { } counted)
        {
            form.CountedAt = counted.UtcTicks;
        }

        return form;
    }

    private static WorkCounted Read(Form.WorkCounted form, ActorPaths _) => new(
        LedgerCodecs.Read(form.Id),
        Values.Device(form.Device, "device"),
        Values.Session(form.Session),
        Values.Model(form.Model),
        Values.Range(form.Range),
        Require.Defined<WorkOutcome>(form.Outcome, "outcome"),
        Values.Position(form.Tokens, "tokens"),
        Values.Moment(form.At, "at"),
        Require.NotNegative(form.Reward, "reward"),
        Require.NotNegative(form.Penalty, "penalty"),
        TrustCodecs.Read(form.Check, (WorkOutcome)form.Outcome),
        form.Check is null ? null : HistoryCodecs.Read(Require.Present(form.Terms, "terms")),
        form.HasCountedAt ? Values.Moment(form.CountedAt, "counted_at") : null,
        form.Account is { } account ? HistoryCodecs.Read(account) : null,
        form.Reporter is { } reporter ? Values.Device(reporter, "reporter") : null);

    private static Form.VerdictStruck Write(VerdictStruck struck, ActorPaths _) => new()
    {
        Verdict = Values.Write(struck.Verdict),
        Reason = struck.Reason,
        At = struck.At.UtcTicks,
    };

    private static VerdictStruck Read(Form.VerdictStruck form, ActorPaths _) => new(
        Values.Verdict(form.Verdict),
        Require.Text(form.Reason, ProtocolLimits.ReasonCharacters, "reason"),
        Values.Moment(form.At, "at"));

    private static Form.ReputationState Write(ReputationState state, ActorPaths _)
    {
        var form = new Form.ReputationState
        {
            Device = Values.Write(state.Device),
            Entries = state.Entries,
            Sessions = state.Sessions,
            Tokens = state.Tokens,
            LayerTokens = state.LayerTokens,
            TimeOuts = state.TimeOuts,
            Failures = state.Failures,
            Reward = state.Reward,
            Penalty = state.Penalty,
            Server = TrustCodecs.Write(state.History.Sum.Server),
            Verifier = TrustCodecs.Write(state.History.Sum.Verifier),
            Account = HistoryCodecs.Write(state.History.Sum.Account),
            FinderRewards = state.FinderRewards,
            Preference = HistoryCodecs.Write(state.Preference),
        };
        if (state.FirstSeen is { } first)
        {
            form.FirstSeen = first.UtcTicks;
        }

        if (state.LastSeen is { } last)
        {
            form.LastSeen = last.UtcTicks;
        }

        form.Recent.AddRange(state.Recent.Select(LedgerCodecs.Write));
        form.Segments.AddRange(state.History.Ended.Append(state.History.Open).Select(HistoryCodecs.Write));
        form.Struck.AddRange(state.Struck.Select(Values.Write));
        form.Owed.AddRange(state.Owed.Select(HistoryCodecs.Write));

        // In order, so that equal states have equal bytes.
        form.Reporters.AddRange(state.Reporters.OrderBy(reporter => reporter.Key).Select(reporter => new Form.ReporterWindow
        {
            Reporter = Values.Write(reporter.Key),
            Highest = reporter.Value.Highest,
            Seen = reporter.Value.Seen,
            LastEntry = reporter.Value.LastEntry,
        }));
        return form;
    }

    private static ReputationState Read(Form.ReputationState form, ActorPaths _)
    {
        Require.Count(form.Recent.Count, LedgerCodecs.RecentEntries, "recent");
        Require.Count(form.Reporters.Count, ReputationState.MostReporters, "reporters");
        Require.Count(form.Struck.Count, ReputationState.MostStruck, "struck");
        Require.Count(form.Owed.Count, ReputationState.MostOwed, "owed");
        var reporters = ImmutableDictionary.CreateBuilder<Guid, ReporterWindow>();
        foreach (var reporter in form.Reporters)
        {
            var window = new ReporterWindow(
                Require.AtLeast(reporter.Highest, 1, "highest"), reporter.Seen, Require.AtLeast(reporter.LastEntry, 1, "last_entry"));
            if (!reporters.TryAdd(Values.Uuid(reporter.Reporter, "reporter"), window))
            {
                throw new MalformedMessageException("reporters has one twice.");
            }
        }

        return new ReputationState
        {
            Device = Values.Device(form.Device, "device"),
            Entries = Require.AtLeast(form.Entries, 0, "entries"),
            FirstSeen = form.HasFirstSeen ? Values.Moment(form.FirstSeen, "first_seen") : null,
            LastSeen = form.HasLastSeen ? Values.Moment(form.LastSeen, "last_seen") : null,
            Sessions = Require.AtLeast(form.Sessions, 0, "sessions"),
            Tokens = Require.AtLeast(form.Tokens, 0, "tokens"),
            LayerTokens = Require.AtLeast(form.LayerTokens, 0, "layer_tokens"),
            TimeOuts = Require.AtLeast(form.TimeOuts, 0, "time_outs"),
            Failures = Require.AtLeast(form.Failures, 0, "failures"),
            Reward = Require.NotNegative(form.Reward, "reward"),
            Penalty = Require.NotNegative(form.Penalty, "penalty"),
            Recent = [.. form.Recent.Select(LedgerCodecs.Read)],
            Reporters = reporters.ToImmutable(),
            History = HistoryCodecs.Read(
                new Conduct(TrustCodecs.ReadStanding(form.Server), TrustCodecs.ReadStanding(form.Verifier), HistoryCodecs.Account(form)), form.Segments),
            Struck = [.. form.Struck.Select(Values.Verdict)],
            FinderRewards = Require.AtLeast(form.FinderRewards, 0, "finder_rewards"),
            Owed = [.. form.Owed.Select(HistoryCodecs.Read)],
            Preference = HistoryCodecs.Read(form.Preference),
        };
    }
}
