using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Auditing;

/// <summary>What a verdict says that its proof is about. A proof of something else may hold, and proves nothing for the verdict.</summary>
/// <param name="Device">The device that the verdict is on.</param>
/// <param name="Session">The session in which it did wrong.</param>
public sealed record ProofSubject(DeviceId Device, SessionId Session)
{
    /// <summary>Why a proof is about something else, for people; null when it is not.</summary>
    internal string? Problem(WorkProof proof) => Problem(proof.Disputed.Session, proof.Disputed.Device);

    /// <summary>The same of a proof by signatures: what two devices contradict each other in is about both.</summary>
    internal string? Problem(SignatureProof proof) => proof.Fault == SignatureFault.Contradiction
        ? Problem(proof.Session, proof.Device, Identity.DeviceKey.IdOf(proof.Other.Span))
        : Problem(proof.Session, proof.Device);

    private string? Problem(SessionId session, params ReadOnlySpan<DeviceId> devices)
        => !devices.Contains(Device) ? $"it is about device {devices[0].Short}, and the verdict is on {Device.Short}."
            : session != Session ? $"it is about session {session}, and the verdict about {Session}."
            : null;
}
