using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// Verifiers that were drawn and say nothing, or nothing that they stand for: an answer that is not truly signed is none. Whoever withholds what
/// he found would cost a session time and himself nothing, so it stands as a soft failure. It also happens to the honest: so it counts once in a
/// session, and not at all where the device is seen to be gone, refuses the work, or gives it up.
/// </summary>
internal sealed partial class SessionAudit
{
    private const string NoAnswer = "it was drawn to check, and did not answer in time.";

    private readonly HashSet<DeviceId> _silent = [];

    /// <summary>Whoever checks a hop gave no answer that counts.</summary>
    private void Withheld(HopAudit hop, string reason)
    {
        if (hop.Run is { IsJudge: false } run && IsThere(run.Verifier.Device) && _silent.Add(run.Verifier.Device))
        {
            Report(run.Verifier.Device, hop, CheckOutcome.Soft, TrustRole.Verifier, run.Answered, _audit.Gateway, default, default, reason);
        }
    }

    private bool IsThere(DeviceId device) => _view.Devices.FirstOrDefault(one => one.Device == device) is { } known && _view.IsReachable(known.Node);
}
