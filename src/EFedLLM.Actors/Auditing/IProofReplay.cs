using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>Recomputes what a proof is about, with the layers of this machine.</summary>
public interface IProofReplay
{
    /// <summary>Replays a proof.</summary>
    /// <param name="proof">The content hash of the proof.</param>
    /// <param name="subject">What it has to be about: one of something else does not hold.</param>
    /// <param name="cancellation">Ends it early.</param>
    Task<ReplayOutcome> ReplayAsync(Digest proof, ProofSubject subject, CancellationToken cancellation);
}
