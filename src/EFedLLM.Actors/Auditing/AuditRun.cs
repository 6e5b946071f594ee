using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>A session on a verifier that recomputes one hop of another session, from its first position on.</summary>
/// <param name="session">Its id.</param>
/// <param name="verifier">Who recomputes: in the place of the hop that is checked.</param>
/// <param name="isJudge">Whether it is the gateway's own, which is believed.</param>
/// <param name="key">The key of its answers.</param>
internal sealed class AuditRun(SessionId session, Hop verifier, bool isJudge, Digest key)
{
    /// <summary>Its id.</summary>
    public SessionId Session => session;

    /// <summary>Who recomputes.</summary>
    public Hop Verifier => verifier;

    /// <summary>Whether it is the gateway's own.</summary>
    public bool IsJudge => isJudge;

    /// <summary>The key of its answers.</summary>
    public Digest Key => key;

    /// <summary>Whether it has taken the session.</summary>
    public bool IsOpen { get; set; }

    /// <summary>One past the last position that it was given.</summary>
    public int Fed { get; set; }

    /// <summary>One past the last position that it answered.</summary>
    public int Answered { get; set; }

    /// <summary>The end of the unit that it is given or works on; <see cref="Answered"/> when there is none.</summary>
    public int UnitEnd { get; set; }

    /// <summary>Digests of the rows of the unit that it was given.</summary>
    public List<Digest> Inputs { get; } = [];

    /// <summary>What the gateway's own was given, from the first position on, for a proof; null where that is too much to be kept.</summary>
    public List<ReadOnlyMemory<float>>? Kept { get; set; } = [];

    /// <summary>Bytes of <see cref="Kept"/>.</summary>
    public long KeptBytes { get; set; }

    /// <summary>Until when the hop before may take to give again what it gave.</summary>
    public TimeSpan OpenUntil { get; set; }

    /// <summary>When it must have gone on.</summary>
    public TimeSpan Deadline { get; set; }
}
