namespace EFedLLM.Actors.Placement;

/// <summary>
/// Whether a node's knowledge of who is trusted is too old to send new sessions to devices that it knows nothing of: no ledger node has
/// answered heartbeats for <see cref="Patience"/>. Where there never was a ledger nobody is missed. Immutable.
/// </summary>
/// <param name="IsMissed">Whether there was a ledger once.</param>
/// <param name="LastSeen">When one last answered, or the node started; null while one answers.</param>
internal readonly record struct LedgerWatch(bool IsMissed, TimeSpan? LastSeen)
{
    /// <summary>How old that knowledge may be.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The watch after a look at the members.</summary>
    /// <param name="answers">Whether a ledger node is a member and answers.</param>
    /// <param name="now">The time.</param>
    public LedgerWatch After(bool answers, TimeSpan now) => answers ? new LedgerWatch(true, null) : this with { LastSeen = LastSeen ?? now };

    /// <summary>When it is too old from, if no ledger answers by then; null while one answers, or none is missed.</summary>
    public TimeSpan? Deadline => IsMissed && LastSeen is { } seen ? seen + Patience : null;

    /// <summary>Whether it is too old.</summary>
    public bool IsAway(TimeSpan now) => Deadline <= now;
}
