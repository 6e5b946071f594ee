using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>What is settled about the checks of a session before its first receipt.</summary>
/// <param name="Settings">Rates and bounds.</param>
/// <param name="Gateway">The gateway, under whose id the ledger hears of what it recomputes itself.</param>
/// <param name="Requester">The secret number of whoever asked: with the next one it decides which units are checked and by whom (<see cref="AuditDraw"/>).</param>
/// <param name="Coordinator">The secret number of the gateway, of which the keys of the checks are made too.</param>
/// <param name="IsStrict">Whether everything is checked and nothing is told that was not: what whoever asked wants.</param>
/// <param name="CanJudge">Whether the gateway has the model's files, so that it can recompute a unit itself.</param>
/// <param name="MessageBytes">Most bytes of activations in a message of more than one row.</param>
/// <param name="Cluster">The cluster, in which alone what is signed counts.</param>
internal sealed record AuditPlan(TrustSettings Settings, DeviceId Gateway, Digest Requester, Digest Coordinator, bool IsStrict, bool CanJudge, int MessageBytes = ProtocolLimits.ActivationBytes, ClusterId Cluster = default)
{
    /// <summary>Whether a unit is checked.</summary>
    /// <param name="receipt">The hash of its receipt, which the device had signed before anybody could tell.</param>
    /// <param name="rate">The share that is checked, above 0 and at most 1.</param>
    public bool Chooses(Digest receipt, double rate) => IsStrict || AuditDraw.IsChosen(Requester, Coordinator, receipt, rate);

    /// <summary>Whether a unit that a verifier passed is recomputed by the gateway too.</summary>
    /// <param name="receipt">The hash of its receipt.</param>
    public bool Plants(Digest receipt) => CanJudge && PlantedJobs.IsPlanted(Coordinator, receipt, Settings);

    /// <summary>What decides who checks a unit.</summary>
    /// <param name="receipt">The hash of its receipt.</param>
    public Digest Seed(Digest receipt) => AuditDraw.Seed(Requester, Coordinator, receipt);

    /// <summary>The key of a check, which nobody else can tell.</summary>
    /// <param name="session">The session of the check.</param>
    public Digest Key(SessionId session)
    {
        Span<byte> bytes = stackalloc byte[Digest.Bytes + 16];
        Coordinator.Write(bytes);
        session.Value.TryWriteBytes(bytes[Digest.Bytes..], bigEndian: true, out _);
        return Digest.Of(bytes);
    }
}
