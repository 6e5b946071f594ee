using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>When a verifier's answer counts: it stands for it with its key, and for what it was given. Whether it is right only comparing tells.</summary>
internal static class VerifierRules
{
    /// <summary>What is wrong with an answer, for people; null where it counts.</summary>
    /// <param name="answer">The answer. Its session is the check's: by that it was found.</param>
    /// <param name="publicKey">The key of whoever was drawn.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="hop">The place of the hop that is checked in the route. As the epoch, it is not believed but put in.</param>
    /// <param name="given">The root over what it was given for the unit.</param>
    public static string? Problem(UnitRecomputed answer, ReadOnlySpan<byte> publicKey, ClusterId cluster, int hop, Digest given)
    {
        var said = answer with { Epoch = GenerationState.FirstEpoch, HopIndex = hop };
        return !DeviceKey.Verify(publicKey, said.ToStatement(cluster), answer.Signature.AsSpan()) ? "what it found as a verifier is not signed by it."
            : answer.GivenRoot != given ? "it signed that it was given something else to recompute."
            : null;
    }
}
