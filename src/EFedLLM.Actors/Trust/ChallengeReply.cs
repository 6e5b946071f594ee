namespace EFedLLM.Actors.Trust;

/// <summary>How a device meets somebody who wants to know what it did.</summary>
internal enum ChallengeReply
{
    /// <summary>As it should.</summary>
    Honest,

    /// <summary>It says that it has nothing.</summary>
    Refuse,

    /// <summary>As it should, after <see cref="IHopBehavior.OpeningDelay"/>.</summary>
    Late,

    /// <summary>It has lost the session, and says nothing.</summary>
    Forget,
}
