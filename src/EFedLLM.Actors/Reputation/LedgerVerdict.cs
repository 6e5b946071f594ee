namespace EFedLLM.Actors.Reputation;

/// <summary>What a ledger node does about the other ledger nodes.</summary>
internal enum LedgerStep
{
    /// <summary>It keeps the ledger.</summary>
    Run,

    /// <summary>It waits: one that it could not run beside does not answer, and is back or removed soon; or joins at this very moment, and it shows soon who was first.</summary>
    Wait,

    /// <summary>It does not start, or ends.</summary>
    Leave,
}

/// <summary>A decision of <see cref="LedgerRules"/>.</summary>
/// <param name="Step">What to do.</param>
/// <param name="Problem">Why, and what people can do about it; null when all is well.</param>
internal readonly record struct LedgerVerdict(LedgerStep Step, string? Problem);
