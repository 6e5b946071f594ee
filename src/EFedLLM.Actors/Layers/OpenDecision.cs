using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Layers;

/// <summary>What comes of an <see cref="OpenSession"/>.</summary>
internal enum OpenOutcome
{
    /// <summary>A new session: it needs a cache.</summary>
    New,

    /// <summary>The session is there already; nothing but perhaps its route changed.</summary>
    Again,

    /// <summary>The message is of an epoch that has passed; no answer.</summary>
    Stale,

    /// <summary>The shard does not take the session.</summary>
    Refused,
}

/// <summary>A decision about an <see cref="OpenSession"/>.</summary>
/// <param name="Outcome">What comes of it.</param>
/// <param name="Session">The session, unless it is refused.</param>
/// <param name="Reason">Why it is refused.</param>
/// <param name="Message">Why it is refused, for people.</param>
internal readonly record struct OpenDecision(OpenOutcome Outcome, ShardSession? Session, RefusalReason Reason = 0, string Message = "")
{
    /// <summary>A refusal.</summary>
    public static OpenDecision Refuse(RefusalReason reason, string message) => new(OpenOutcome.Refused, null, reason, message);
}
