using System.Globalization;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Http;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.Hosting;

/// <summary>Tells whoever runs a device when checks find it wrong: in which session, what was expected and found, what proves it, and what can be done about it.</summary>
internal static class OwnVerdicts
{
    /// <summary>Most verdicts that are told of at a time; the ledger has the others.</summary>
    public const int MostTold = 3;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Follows what the ledger publishes of this device, and asks it for the verdicts when that becomes worse.</summary>
    /// <param name="feed">The cluster as this node sees it.</param>
    /// <param name="self">The device.</param>
    /// <param name="ledger">The way to the ledger, asked for when it is needed.</param>
    /// <param name="tell">Takes what people are to know, a line at a time.</param>
    /// <param name="cancellation">Ends it, without an error.</param>
    public static async Task FollowAsync(ViewFeed feed, DeviceId self, Func<Task<IActorRef>> ledger, Action<string> tell, CancellationToken cancellation)
    {
        DeviceStanding? seen = null;
        var told = new HashSet<VerdictId>();
        try
        {
            while (true)
            {
                var before = seen;
                var view = await feed.WaitAsync(view => view.Standings.GetValueOrDefault(self) is { } now && now != before, cancellation);
                seen = view.Standings[self];
                if (!IsWorse(before, seen))
                {
                    continue;
                }

                try
                {
                    foreach (var line in Lines(await AskAsync(ledger, self, cancellation), told))
                    {
                        tell(line);
                    }
                }
                catch (ApiException refused) when (refused.Code == LedgerQuestions.Refused)
                {
                    tell(refused.Message);
                }
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The node ends.
        }
    }

    /// <summary>Whether a standing says something against a device that the one before it did not.</summary>
    /// <param name="before">The one before; null of a device that was never checked.</param>
    /// <param name="now">The standing.</param>
    public static bool IsWorse(DeviceStanding? before, DeviceStanding now)
        => now.Score > (before?.Score ?? 0) || Doubt(now.Server) > Doubt(before?.Server) || Doubt(now.Verifier) > Doubt(before?.Verifier);

    /// <summary>What people are to know of verdicts that they were not told of.</summary>
    /// <param name="record">What the ledger has of the device.</param>
    /// <param name="told">The verdicts that they were told of; those told now are added, and those that the ledger does not list any more are forgotten.</param>
    public static IEnumerable<string> Lines(DeviceRecord record, HashSet<VerdictId> told)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(told);
        var verdicts = record.Recent.Where(entry => entry is { Verdict: not null, Check: not null, Struck: null }).ToList();
        told.IntersectWith(verdicts.Select(entry => entry.Verdict!.Value).ToHashSet());
        var news = verdicts.FindAll(entry => told.Add(entry.Verdict!.Value));
        if (news.Count == 0)
        {
            return [];
        }

        var device = record.Device.Short;
        var lines = news.Take(MostTold).Reverse().Select(entry => Line(device, entry, entry.Check!)).ToList();
        if (news.Count > MostTold)
        {
            lines.Insert(0, $"checks found this device wrong {news.Count - MostTold} more times: \"efedllm ledger show {device}\" has the latest");
        }

        lines.AddRange(new[] { Standing("server", record.Server, record.ServerTier), Standing("verifier", record.Verifier, record.VerifierTier) }.OfType<string>());
        return lines;
    }

    private static int Doubt(TrustTier? tier) => tier switch { TrustTier.Excluded => 2, TrustTier.Quarantined => 1, _ => 0 };

    private static string Line(string device, LedgerEntry entry, CheckFacts check)
    {
        var what = check.Role == TrustRole.Server ? "what it computed" : "what it recomputed";
        var expected = check.Expected == default ? "" : $" Expected {check.Expected}, found {(check.Found == default ? "nothing" : check.Found)}.";
        var proof = check.Proof == default ? "nothing proves it to others" : $"proof {check.Proof}, which \"efedllm ledger prove {check.Proof.ToString()[..16]}\" replays";
        return $"a check found this device wrong: session {entry.Session}, units {entry.Range}, positions {check.Position} to {check.Position + entry.Tokens - 1}, {what}: {check.Reason}{expected} "
            + $"Verdict {entry.Verdict}; {proof}. Where it is mistaken, whoever runs the cluster can have it taken back: efedllm ledger appeal {device} {entry.Verdict}";
    }

    private static string? Standing(string role, RoleStanding standing, TrustTier tier) => tier switch
    {
        TrustTier.Excluded => string.Create(
            CultureInfo.InvariantCulture,
            $"this device is excluded as a {role}{(standing.Exclusion is { } exclusion ? $" until {exclusion.Until.UtcDateTime:yyyy-MM-dd HH:mm} UTC, as {Api.LedgerFactsBuilder.As(exclusion)}" : "")}, and gets no such work"),
        TrustTier.Quarantined => string.Create(
            CultureInfo.InvariantCulture, $"everything that this device does as a {role} is checked now; its score is {Say.Number(standing.Score)}, and one that is too high excludes it"),
        _ => null,
    };

    private static async Task<DeviceRecord> AskAsync(Func<Task<IActorRef>> ledger, DeviceId self, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await (await ledger()).AskLedgerAsync<DeviceRecord>(new GetDeviceRecord(self), Patience, cancellation);
            }
            catch (TimeoutException)
            {
                // It is away for the moment.
            }
        }
    }
}
