namespace EFedLLM.Actors.Protocol;

/// <summary>Bounds on everything that arrives from another process. A message beyond one is refused before anything is allocated for it.</summary>
public static class ProtocolLimits
{
    /// <summary>Most bytes of activations in one message, so that heartbeats never wait long behind one; a single row may be larger, up to <see cref="RowBytes"/>.</summary>
    public const int ActivationBytes = 48 * 1024;

    /// <summary>Most bytes of one row of activations (a hidden size of 32768).</summary>
    public const int RowBytes = 128 * 1024;

    /// <summary>Most values that an encoder gives for a sequence.</summary>
    public const int EncodedValues = RowBytes / sizeof(float);

    /// <summary>Most spans of positions of one session after which nothing was drawn.</summary>
    public const int RefedSpans = 256;

    /// <summary>Most keys and values that one position has in all layers of a hop.</summary>
    public const int CacheValues = 1 << 22;

    /// <summary>Unacknowledged <see cref="FeedHidden"/> messages a hop may have towards the next.</summary>
    public const int HiddenCredit = 4;

    /// <summary>Most tokens in one <see cref="FeedTokens"/>.</summary>
    public const int TokensPerFeed = 512;

    /// <summary>Most pages of a session that others may begin with: what comes behind them is computed by each.</summary>
    public const int PrefixPages = 2048;

    /// <summary>Most drafts (guessed tokens) in one step: with the token before them they travel as one message of at most <see cref="RowBytes"/>.</summary>
    public const int Drafts = 15;

    /// <summary>Most hops in a route.</summary>
    public const int Hops = 256;

    /// <summary>Most units (embedding, layers, head) of a model.</summary>
    public const int Units = 4096;

    /// <summary>Most tokens of a prompt or a session.</summary>
    public const int SessionTokens = 1 << 20;

    /// <summary>Most devices that are told to have checked one hop of a session.</summary>
    public const int SessionVerifiers = 64;

    /// <summary>Most characters of a prompt's text, all messages together.</summary>
    public const int PromptCharacters = 4 << 20;

    /// <summary>Most messages of a chat.</summary>
    public const int ChatMessages = 4096;

    /// <summary>Most characters of the name of who asks.</summary>
    public const int TenantCharacters = 64;

    /// <summary>Most stop texts.</summary>
    public const int StopTexts = 16;

    /// <summary>Most characters of one stop text.</summary>
    public const int StopCharacters = 256;

    /// <summary>Most log-probabilities reported with a token.</summary>
    public const int TopLogprobs = 20;

    /// <summary>Most characters of any text meant for people. A longer reason or error is cut when it is sent.</summary>
    public const int TextCharacters = 4096;

    /// <summary>Most characters of the reason that a check gives. A longer one is cut by whoever reports it.</summary>
    public const int ReasonCharacters = 256;

    /// <summary>Most floating-point operations of a report, and most credit that one can earn: far more than any session.</summary>
    public const double Flop = 1e24;

    /// <summary>Most hard failures whose times are kept, so as to see whether too many came within a window.</summary>
    public const int HardTimes = 64;

    /// <summary>Most loaded ranges or held models one device announces.</summary>
    public const int AnnouncedRanges = 64;

    /// <summary>Most other devices to which one announces how far they are.</summary>
    public const int LinkSamples = 16;

    /// <summary>Most devices in one plan.</summary>
    public const int Devices = 100_000;

    /// <summary>Most bytes of what is signed in one <see cref="SignedRevocation"/>.</summary>
    public const int RevocationBytes = 4096;

    /// <summary>Most further certificates that one revocation names.</summary>
    public const int RevokedKeys = 16;

    /// <summary>Most revocations and readmissions of one cluster.</summary>
    public const int Revocations = 16_384;

    /// <summary>Bytes of the authority's signature.</summary>
    public const int AuthoritySignatureBytes = 64;
}
