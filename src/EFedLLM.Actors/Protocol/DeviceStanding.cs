using Akka.Actor;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Protocol;

/// <summary>How far the ledger trusts a device, in distributed data under its id. A device without one is new.</summary>
/// <param name="Device">The device.</param>
/// <param name="Server">As a server: this is what routes and plans go by.</param>
/// <param name="Verifier">As a verifier.</param>
/// <param name="Score">The statistic of the server: 0 when nothing speaks against it.</param>
/// <param name="Revision">Grows with each entry of the device in the ledger: of two the later counts, whatever the clocks say.</param>
/// <param name="Ledger">The node of the ledger that says so. A claim like every fact in distributed data.</param>
public sealed record DeviceStanding(DeviceId Device, TrustTier Server, TrustTier Verifier, double Score, long Revision, Address Ledger) : IEvent
{
    /// <summary>What its exclusion as a server means; null where it is none, or one for good.</summary>
    public Exclusion? Exclusion { get; init; }

    /// <summary>When the next exclusion is over, in whatever role; null where there is none, or one for good.</summary>
    public DateTimeOffset? NextReturn { get; init; }

    /// <summary>How gladly routes use it, 0 to 1, from what it passed and failed lately; 0 where nobody can say. It orders devices that are trusted alike, and excludes none.</summary>
    public double Preference { get; init; }
}
