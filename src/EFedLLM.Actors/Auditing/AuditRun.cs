using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// A session on a verifier that recomputes units of one hop of another session, in the order of their positions. For what lies between them
/// it gets either what came into the hop, and recomputes that too, or the keys and values that the hop opens.
/// </summary>
/// <param name="session">Its id.</param>
/// <param name="verifier">Who recomputes: in the place of the hop that is checked.</param>
/// <param name="isJudge">Whether it is the gateway's own, which is believed.</param>
/// <param name="key">The key of its answers.</param>
/// <param name="publicKey">The public key of whoever recomputes, under which its answers are signed; empty for the gateway's own.</param>
internal sealed class AuditRun(SessionId session, Hop verifier, bool isJudge, Digest key, ReadOnlyMemory<byte> publicKey)
{
    /// <summary>Its id.</summary>
    public SessionId Session => session;

    /// <summary>Who recomputes.</summary>
    public Hop Verifier => verifier;

    /// <summary>Whether it is the gateway's own.</summary>
    public bool IsJudge => isJudge;

    /// <summary>The key of its answers.</summary>
    public Digest Key => key;

    /// <summary>The public key of whoever recomputes.</summary>
    public ReadOnlyMemory<byte> PublicKey => publicKey;

    /// <summary>Whether it has taken the session.</summary>
    public bool IsOpen { get; set; }

    /// <summary>One past the last position that it was given, or that was opened for it.</summary>
    public int Fed { get; set; }

    /// <summary>One past the last position that it answered, or has the keys and values of.</summary>
    public int Answered { get; set; }

    /// <summary>The end of the unit that it is given or works on; <see cref="Answered"/> when there is none.</summary>
    public int UnitEnd { get; set; }

    /// <summary>Whether the unit that it is given is opened rather than recomputed.</summary>
    public bool IsOpening { get; set; }

    /// <summary>Whether anything of what it has was opened: what it finds then hangs on what the hop says of itself.</summary>
    public bool HasOpened { get; set; }

    /// <summary>Digests of the tokens or rows of the unit that it was given, or of what was opened of it.</summary>
    public List<Digest> Inputs { get; } = [];

    /// <summary>Whether the hop itself is asked for what it got, because the one before does not have it any more.</summary>
    public bool AsksTaker { get; set; }

    /// <summary>The rows of the unit that were opened, with their first position: they go to the verifier once all of them are what was signed.</summary>
    public List<KeptRows> Rows { get; } = [];

    /// <summary>What was opened of the unit and is to go to the verifier once all of it is there.</summary>
    public Queue<FeedCache> Opened { get; } = new();

    /// <summary>What was opened of a position that does not fit one message.</summary>
    public List<Half> Part { get; } = [];

    /// <summary>The positions of messages with keys and values that the verifier has not taken yet.</summary>
    public Queue<int> UnderWay { get; } = new();

    /// <summary>What the gateway's own was given, from the first position on, for a proof; null where that is too much to be kept.</summary>
    public List<ReadOnlyMemory<float>>? Kept { get; set; } = [];

    /// <summary>Bytes of <see cref="Kept"/>.</summary>
    public long KeptBytes { get; set; }

    /// <summary>Until when whoever is to open something may take.</summary>
    public TimeSpan OpenUntil { get; set; }

    /// <summary>When it must have gone on.</summary>
    public TimeSpan Deadline { get; set; }
}
