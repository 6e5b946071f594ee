using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// The hard failures that this node found and that no ledger has counted yet: until one has, the node itself goes by them, by the rules that
/// the ledger would judge them by. They are the reports that wait for the ledger on disk, so they outlive restarts and are bounded as those are.
/// </summary>
/// <param name="trust">The rules.</param>
internal sealed class OwnConvictions(TrustSettings trust)
{
    private readonly Dictionary<long, (DeviceId Device, TrustRole Role, DateTimeOffset At)> _held = [];

    /// <summary>Whether there are any.</summary>
    public bool IsEmpty => _held.Count == 0;

    /// <summary>Whether a report is one.</summary>
    public static bool IsOne(RecordWork report) => report.Check is { Outcome: CheckOutcome.Hard };

    /// <summary>A report waits from now on.</summary>
    /// <returns>Whether it is a hard failure.</returns>
    public bool Hold(OutboxEntry entry)
        => IsOne(entry.Report) && _held.TryAdd(entry.Position, (entry.Report.Device, entry.Report.Check!.Role, entry.Report.At));

    /// <summary>The ledger has counted a report, and its word is here.</summary>
    /// <returns>Whether it was one that was held.</returns>
    public bool Release(long position) => _held.Remove(position);

    /// <summary>What follows from them. One that is older than a ban counts no longer: no ledger would keep a device out for longer because of it.</summary>
    /// <param name="now">The time.</param>
    public ImmutableDictionary<DeviceId, HeldStanding> Standings(DateTimeOffset now)
        => _held.Values.Where(failure => now - failure.At < trust.Ban).GroupBy(failure => failure.Device).ToImmutableDictionary(device => device.Key, device =>
        {
            var (server, verifier) = (Fold(device, TrustRole.Server), Fold(device, TrustRole.Verifier));
            return new HeldStanding(StandingRules.Tier(server, trust), StandingRules.Tier(verifier, trust), server.Score);
        });

    private RoleStanding Fold(IEnumerable<(DeviceId Device, TrustRole Role, DateTimeOffset At)> failures, TrustRole role)
        => failures.Where(failure => failure.Role == role).OrderBy(failure => failure.At)
            .Aggregate(RoleStanding.New, (standing, failure) => StandingRules.After(standing, CheckOutcome.Hard, 0, failure.At, trust));
}
