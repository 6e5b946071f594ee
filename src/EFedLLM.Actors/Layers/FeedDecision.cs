namespace EFedLLM.Actors.Layers;

/// <summary>What comes of a step.</summary>
internal enum FeedOutcome
{
    /// <summary>It waits to be computed.</summary>
    Accepted,

    /// <summary>It is late, or from a stranger: no answer.</summary>
    Ignored,

    /// <summary>There is no such session.</summary>
    Unknown,

    /// <summary>Its position does not follow what the shard has.</summary>
    Rejected,

    /// <summary>It cannot be computed, and the session cannot go on.</summary>
    Failed,
}

/// <summary>A decision about a step.</summary>
/// <param name="Outcome">What comes of it.</param>
/// <param name="Session">The session, if there is one.</param>
/// <param name="Problem">Why it failed, for people.</param>
/// <param name="Refused">Where it failed because of what the hop before sent: the first position that cannot be as it came; else null.</param>
internal readonly record struct FeedDecision(FeedOutcome Outcome, ShardSession? Session, string Problem = "", int? Refused = null);
