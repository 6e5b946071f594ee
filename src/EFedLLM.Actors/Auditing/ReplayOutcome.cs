namespace EFedLLM.Actors.Auditing;

/// <summary>What came of replaying a proof.</summary>
public enum ReplayResult
{
    /// <summary>The device signed another result than the right one.</summary>
    Holds = 1,

    /// <summary>What it signed is right, or the proof is not whole.</summary>
    DoesNotHold = 2,

    /// <summary>The proof or the layers are not there.</summary>
    CannotTell = 3,
}

/// <summary>What came of replaying a proof.</summary>
/// <param name="Result">In short.</param>
/// <param name="Text">For people: what was compared, or what is missing.</param>
public sealed record ReplayOutcome(ReplayResult Result, string Text);
