using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Reputation;

/// <summary>What the ledger keeps on disk, to its forms and back.</summary>
internal static class LedgerStoreCodecs
{
    /// <summary>How each is stored.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        WireCodec.Of<WorkCounted, Form.WorkCounted>("wc", LedgerCodecs.EntryBytes, Form.WorkCounted.Parser, Write, Read),
        WireCodec.Of<ReputationState, Form.ReputationState>("rs", 256 * 1024, Form.ReputationState.Parser, Write, Read),
    ];

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
            Terms = entry.Terms is { } terms
                ? new Form.CheckTerms
                {
                    Step = terms.Step,
                    ExcludeAt = terms.ExcludeAt,
                    MostHardFailures = terms.MostHardFailures,
                    HardWindow = terms.HardWindow.Ticks,
                }
                : null,
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
        form.Check is null ? null : Read(Require.Present(form.Terms, "terms")),
        form.HasCountedAt ? Values.Moment(form.CountedAt, "counted_at") : null);

    private static CheckTerms Read(Form.CheckTerms form) => new(
        double.IsFinite(form.Step) ? form.Step : throw new MalformedMessageException("step is not a finite number."),
        Require.NotNegative(form.ExcludeAt, "exclude_at"),
        Require.Within(form.MostHardFailures, 1, ProtocolLimits.HardTimes, "most_hard_failures"),
        TimeSpan.FromTicks(Require.AtLeast(form.HardWindow, 0, "hard_window")));

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
            Server = TrustCodecs.Write(state.Server),
            Verifier = TrustCodecs.Write(state.Verifier),
            Credit = Write(state.Credit),
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
            Server = TrustCodecs.ReadStanding(form.Server),
            Verifier = TrustCodecs.ReadStanding(form.Verifier),

            // Before credit had to lie it was the device's own at once.
            Credit = form.Credit is { } credit ? Read(credit) : new CreditVault { Vested = form.Reward },
        };
    }

    private static Form.CreditVault Write(CreditVault credit)
    {
        var form = new Form.CreditVault { Vested = credit.Vested };
        form.Lying.AddRange(credit.Lying.Select(hour => new Form.LyingCredit { Until = hour.Until.UtcTicks, Amount = hour.Amount }));
        return form;
    }

    private static CreditVault Read(Form.CreditVault form)
    {
        Require.Count(form.Lying.Count, CreditVault.MostHours, "lying");
        return new CreditVault
        {
            Vested = Require.NotNegative(form.Vested, "vested"),
            Lying = [.. form.Lying.Select(hour => (Values.Moment(hour.Until, "until"), Require.NotNegative(hour.Amount, "amount")))],
        };
    }
}
