using System.Collections.Immutable;
using System.Runtime.InteropServices;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Layers;

/// <summary>One session's place in a batch: reused from batch to batch.</summary>
internal sealed class BatchSlot
{
    private readonly List<StepPart> _parts = [];
    private int[] _tokens = [];

    /// <summary>The session.</summary>
    public required ShardSession Session { get; set; }

    /// <summary>What the shard computes.</summary>
    public required ShardStep Step { get; init; }

    /// <summary>The epoch when the batch was formed: a result of an older one goes nowhere.</summary>
    public int Epoch { get; private set; }

    /// <summary>The first position.</summary>
    public int Position { get; private set; }

    /// <summary>Number of positions.</summary>
    public int Rows { get; private set; }

    /// <summary>Whether a token is drawn after the last one.</summary>
    public bool Sample { get; set; }

    /// <summary>Whether all positions but the first are those of drafts: a token is drawn after each.</summary>
    public bool IsDrafted { get; set; }

    /// <summary>Compute time of the hops before, [hop index].</summary>
    public long[] Before { get; private set; } = [];

    /// <summary>Compute time here.</summary>
    public int Microseconds { get; set; }

    /// <summary>Why computing failed, for people; null when it did not.</summary>
    public string? Error { get; set; }

    /// <summary>Whether that is because a value came out that is not finite.</summary>
    public bool IsUnsound { get; set; }

    /// <summary>How likely the tokens behind the first positions were, where that is asked for; as many as the prompt has more tokens.</summary>
    public ImmutableArray<TokenChoice> Scores { get; set; } = [];

    /// <summary>The token, where one is drawn: behind drafts, the one after the position before them.</summary>
    public TokenChoice Choice { get; set; }

    /// <summary>The tokens drawn after each draft.</summary>
    public ImmutableArray<TokenChoice> Further { get; set; } = [];

    /// <summary>The row after which <see cref="Choice"/> is drawn.</summary>
    public int FirstDrawn => IsDrafted ? 0 : Rows - 1;

    /// <summary>Whether everything that is computed and in no receipt yet is signed.</summary>
    public bool Seals { get; set; }

    /// <summary>What is said of the work: receipts, or answers of a check.</summary>
    public List<ISessionMessage> Statements { get; } = [];

    /// <summary>What came in, in the order of its positions.</summary>
    public ReadOnlySpan<StepPart> Parts => CollectionsMarshal.AsSpan(_parts);

    /// <summary>Begins anew for <paramref name="session"/>.</summary>
    public void Reset(ShardSession session)
    {
        (Session, Epoch, Position, Rows, Sample, IsDrafted, Microseconds, Error, IsUnsound) = (session, session.Epoch, 0, 0, false, false, 0, null, false);
        (Choice, Further, Scores, Seals) = (default, [], [], false);
        _parts.Clear();
        Statements.Clear();
        if (Before.Length != session.Open.HopIndex)
        {
            Before = new long[session.Open.HopIndex];
        }

        Array.Clear(Before);
    }

    /// <summary>Forgets what it refers to, so that nothing outlives its session.</summary>
    public void Release()
    {
        _parts.Clear();
        Statements.Clear();
        (Step.Tokens, Step.Hidden, Step.Logits, Scores, Further) = (default, default, default, [], []);
    }

    /// <summary>Appends rows of a piece.</summary>
    public void Add(StepPiece piece, int from, int rows)
    {
        if (_parts.Count == 0)
        {
            Position = piece.Position + from;
        }

        _parts.Add(new StepPart(piece, from, rows));
        Rows += rows;

        // A step that is computed in parts is paid for once.
        for (var hop = 0; from == 0 && hop < piece.HopMicroseconds.Length; hop++)
        {
            Before[hop] += piece.HopMicroseconds[hop];
        }
    }

    /// <summary>What is drawn after a row; null where nothing is.</summary>
    public TokenChoice? DrawnAfter(int row) => !Sample || row < FirstDrawn ? null : row == FirstDrawn ? Choice : Further[row - 1];

    /// <summary>The token ids, [Rows].</summary>
    public ReadOnlyMemory<int> Tokens()
    {
        if (_parts.Count == 1)
        {
            return _parts[0].Piece.Tokens.Slice(_parts[0].From, Rows);
        }

        if (_tokens.Length < Rows)
        {
            _tokens = new int[Rows];
        }

        var at = 0;
        foreach (var (piece, from, rows) in _parts)
        {
            piece.Tokens.Span.Slice(from, rows).CopyTo(_tokens.AsSpan(at));
            at += rows;
        }

        return _tokens.AsMemory(0, Rows);
    }

    /// <summary>Copies the activations that came in to <paramref name="destination"/>, [Rows, width].</summary>
    public void CopyHidden(Span<float> destination, int width)
    {
        var at = 0;
        foreach (var (piece, from, rows) in _parts)
        {
            piece.Hidden.Span.Slice(from * width, rows * width).CopyTo(destination[at..]);
            at += rows * width;
        }
    }
}
