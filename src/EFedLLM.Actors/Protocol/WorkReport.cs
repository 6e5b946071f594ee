using Akka.Actor;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Protocol;

/// <summary>To a node's work reporter, inside one process: what a device did. The reporter numbers it and repeats it to the ledger until that has it on disk.</summary>
/// <param name="Device">The device.</param>
/// <param name="Session">The session.</param>
/// <param name="Model">The model.</param>
/// <param name="Range">The units it computed.</param>
/// <param name="Outcome">What it did.</param>
/// <param name="Tokens">Positions it computed; those of the unit where its work was checked.</param>
/// <param name="Check">What the check showed, where the outcome is <see cref="WorkOutcome.Checked"/>; else null.</param>
public sealed record WorkReport(DeviceId Device, SessionId Session, ModelId Model, LayerRange Range, WorkOutcome Outcome, int Tokens, CheckFacts? Check = null) : INoSerializationVerificationNeeded
{
    /// <summary>How much work it was; null where nobody can say.</summary>
    public WorkSize? Size { get; init; }

    /// <summary>Whether who recomputed what was checked is paid for it: not by a gateway of the same owner.</summary>
    public bool PaysVerifier { get; init; } = true;
}
