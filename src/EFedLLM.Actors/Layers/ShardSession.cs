using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;

namespace EFedLLM.Actors.Layers;

/// <summary>One session on one shard: what it waits for, what it has, what it sends.</summary>
internal sealed class ShardSession
{
    private readonly Queue<int> _owed = new();
    private readonly Queue<int> _seals = new();
    private int _resendFrom;
    private int _resendEnd;
    private bool _isDrawnAfterResend;
    private int _sharedPages;
    private int _drafts;

    /// <summary>A session that was just opened.</summary>
    /// <param name="open">How.</param>
    /// <param name="cacheBytes">Memory reserved for its cache and what waits for it.</param>
    /// <param name="now">The time, as <see cref="LastActive"/> counts it.</param>
    public ShardSession(OpenSession open, long cacheBytes, TimeSpan now)
    {
        (Open, CacheBytes, LastActive) = (open, cacheBytes, now);
        IsResumed = open.Epoch == 1 && open.Prefix.IsDefaultOrEmpty;
    }

    /// <summary>The message that opened it, of the current epoch.</summary>
    public OpenSession Open { get; private set; }

    /// <summary>Cache memory reserved for it, in bytes.</summary>
    public long CacheBytes { get; }

    /// <summary>Its keys and values; null only where nothing computes.</summary>
    public KvCache? Cache { get; set; }

    /// <summary>What it gave, as far as memory allows; null where nothing follows the shard, or nothing is kept.</summary>
    public RowStore? Kept { get; set; }

    /// <summary>What came in, all of it, as part of <see cref="CacheBytes"/>: what it signs that it got it can give again. Null where tokens come in, or nothing is signed.</summary>
    public RowStore? Taken { get; set; }

    /// <summary>Memory reserved for <see cref="Kept"/>, in bytes.</summary>
    public long KeptBytes { get; set; }

    /// <summary>What it signs; null where nobody asks for receipts.</summary>
    public ReceiptBook? Receipts { get; set; }

    /// <summary>What it answers about another session's work; null where it serves.</summary>
    public CheckBook? Checks { get; set; }

    /// <summary>Whether it recomputes another session's work.</summary>
    public bool IsCheck => Open.Audit is not null;

    /// <summary>Whether the batch that computes now ends a unit early, because the pipeline asked for it.</summary>
    public bool IsSealing { get; set; }

    /// <summary>Positions that were computed, while none is.</summary>
    public int Computed => NextPosition - Steps.Rows;

    /// <summary>Positions that may be computed before a unit has to end, while none is; none where it has to end now.</summary>
    public int RowsToSeal => _seals.TryPeek(out var position) ? position - Computed : int.MaxValue;

    /// <summary>Whether it is computed in one step, when all of its positions are there: an encoder sees every position from every other one.</summary>
    public bool IsWhole => Open.Output != SequenceOutput.None;

    /// <summary>Whether the head says of this session's prompt how likely it was.</summary>
    public bool IsScored => !Open.Scored.IsDefaultOrEmpty;

    /// <summary>The position it accepts: what the cache holds once everything accepted is computed.</summary>
    public int NextPosition { get; set; }

    /// <summary>Positions that stay whatever comes: behind them are drafts, of which the next step may take any back.</summary>
    public int Confirmed => NextPosition - _drafts;

    /// <summary>The first position that the next hop lacks: rows before it are computed and not sent.</summary>
    public int ForwardFrom { get; private set; }

    /// <summary>What its pipeline wants of its cache once no batch computes with it; null for nothing.</summary>
    public FetchCache? CacheAsked { get; set; }

    /// <summary>Under whose names its pages are kept for others; null where they are not, because it shares none, or because its route was repaired.</summary>
    public Digest? PrefixScope { get; private set; }

    /// <summary>Pages of its prompt that are whole, where there are more than are shared already; else 0. While none is computed.</summary>
    public int PagesToShare => PrefixScope is not null && Math.Min(Computed / KvCache.PagePositions, Open.Prefix.Length) is var whole && whole > _sharedPages ? whole : 0;

    /// <summary>Whether it takes steps: where hops may have something of it already, not before every hop is told where to go on.</summary>
    public bool IsResumed { get; private set; }

    /// <summary>Whether the pipeline waits for <see cref="SessionOpened"/> until what computes now is computed.</summary>
    public bool OwesOpened { get; set; }

    /// <summary>Positions of the batch that computes now.</summary>
    public int ComputingRows { get; set; }

    /// <summary>Steps that wait.</summary>
    public StepQueue Steps { get; } = new();

    /// <summary>What goes to the next hop.</summary>
    public SendWindow Window { get; } = new(ProtocolLimits.HiddenCredit);

    /// <summary>Whether a batch with a step of it computes now.</summary>
    public bool IsComputing => ComputingRows > 0 || IsSealing;

    /// <summary>Whether it was closed; its memory may be in use until its batch is done.</summary>
    public bool IsClosed { get; set; }

    /// <summary>Whether it stands in the line for the next batch.</summary>
    public bool IsInLine { get; set; }

    /// <summary>When it was last heard of.</summary>
    public TimeSpan LastActive { get; set; }

    /// <summary>When its last token was computed by itself, as each but the first is.</summary>
    public TimeSpan? LastToken { get; set; }

    /// <summary>Whether more than a next token waits, and can be computed in parts.</summary>
    public bool IsLong => Steps.Rows > 1 && !IsWhole && !Steps.IsDrafted;

    /// <summary>The epoch of its route.</summary>
    public int Epoch => Open.Epoch;

    /// <summary>Whether the next batch may have something to do for it.</summary>
    public bool CanCompute => !IsComputing && !IsClosed && (HasStep || RowsToSeal <= 0);

    /// <summary>Whether the next batch may have a step of it. What it computed goes out before it computes more, so that a slow next hop holds it back.</summary>
    public bool HasStep => Steps.Rows >= (IsWhole ? Open.TokenLimit : 1) && Window.IsEmpty && _resendFrom == _resendEnd;

    /// <summary>The actor of the next hop, or null at the end of the route, or where nothing goes on.</summary>
    public IActorRef? Next => !IsCheck && Open.HopIndex + 1 < Open.Route.Hops.Length ? Open.Route.Hops[Open.HopIndex + 1].Shard : null;

    /// <summary>Who sends activations: the hop before, or where work is checked, the pipeline; null at the beginning of the route.</summary>
    public IActorRef? Previous => Open.HopIndex == 0 ? null : IsCheck ? Open.Pipeline : Open.Route.Hops[Open.HopIndex - 1].Shard;

    /// <summary>Messages taken whose credit is held back because too much waits here.</summary>
    public int Owed => _owed.Count;

    /// <summary>What the pipeline is told when it opens the session. An encoder keeps nothing from step to step.</summary>
    public SessionOpened Opened()
    {
        var length = IsWhole ? 0 : Confirmed;
        return new SessionOpened(Open.Session, Epoch, Open.HopIndex, length, Kept is { } kept && kept.End == length ? kept.From : length);
    }

    /// <summary>Whether a step may begin here: behind what it has; or, when all of that is computed and sent, behind as many of its drafts as were right.</summary>
    public bool Takes(int position) => _drafts == 0
        ? position == NextPosition
        : position >= Confirmed && position <= NextPosition && !IsComputing && Steps.Rows == 0 && Window.IsEmpty && _resendFrom == _resendEnd;

    /// <summary>Forgets drafts from a position on that it <see cref="Takes"/>; those before it were right.</summary>
    public void TakeBack(int position)
    {
        if (_drafts > 0)
        {
            (NextPosition, _drafts) = (position, 0);
            Cache?.Truncate(position);
            Kept?.Truncate(position);
            Taken?.Truncate(position);
            Receipts?.TakeBack(position);
        }
    }

    /// <summary>Appends an accepted step, in the place of drafts behind its position.</summary>
    public void Accept(StepPiece piece)
    {
        TakeBack(piece.Position);
        Steps.Add(piece);
        _drafts = piece.IsDrafted ? piece.Rows - 1 : 0;
        Taken?.Add(piece.Position, piece.Hidden);
        NextPosition += piece.Rows;
        if (piece.Tokens.IsEmpty)
        {
            _owed.Enqueue(piece.Position);
        }
    }

    /// <summary>A unit is to end behind everything that was accepted until now and stays.</summary>
    public void AskSeal()
    {
        if (!_seals.Contains(Confirmed))
        {
            _seals.Enqueue(Confirmed);
        }
    }

    /// <summary>Whether a unit ends behind what the next batch computes, which then need not be asked for again.</summary>
    public bool TakeSeal() => RowsToSeal <= 0 && _seals.TryDequeue(out _);

    /// <summary>The position of the next message to give credit for, or null while too much waits. What has to wait until it is whole has its memory reserved.</summary>
    public int? NextCredit() => (IsWhole || Steps.Bytes <= SessionTable.BytesAhead) && _owed.TryDequeue(out var position) ? position : null;

    /// <summary>Its first pages are shared from now on.</summary>
    /// <param name="scope">Under whose names; null where no more of them are.</param>
    /// <param name="pages">How many are.</param>
    public void Shares(Digest? scope, int pages) => (PrefixScope, _sharedPages) = (scope, pages);

    /// <summary>
    /// Follows a repaired route: what was computed stays but for drafts, what waited in or for the old route is void. What it computes is no more what the devices of
    /// one route give.
    /// </summary>
    public void Reopen(OpenSession open)
    {
        Open = open;
        PrefixScope = null;
        (NextPosition, _drafts) = (Math.Min(Confirmed, NextPosition - Steps.Rows), 0);
        Kept?.Truncate(NextPosition);
        (_resendFrom, _resendEnd, ForwardFrom, IsResumed) = (0, 0, 0, false);
        Steps.Clear();
        Window.Clear();
        _owed.Clear();
        _seals.Clear();
    }

    /// <summary>Goes on where the pipeline says, which was found possible (see <see cref="SessionTable.Resume"/>).</summary>
    public void Resume(ResumeSession message)
    {
        var start = message.Starts[Open.HopIndex];
        (NextPosition, IsResumed) = (start, true);
        Cache?.Truncate(start);
        Kept?.Truncate(start);
        Taken?.Truncate(start);
        Receipts?.Turn(Epoch, Open.HopIndex, start);
        if (Next is not null)
        {
            ForwardFrom = message.Starts[Open.HopIndex + 1];
            (_resendFrom, _resendEnd) = (Math.Min(ForwardFrom, start), start);
            _isDrawnAfterResend = start == message.Length;
        }
    }

    /// <summary>The next message to the next hop that it gave credit for, or null: first what it lacks of the outputs that were kept, then what was computed since.</summary>
    /// <param name="width">Values of a row.</param>
    /// <param name="rowsPerMessage">Most rows of a message.</param>
    public FeedHidden? NextMessage(int width, int rowsPerMessage)
    {
        if (_resendFrom == _resendEnd)
        {
            return Window.Next();
        }

        if (!Window.TryTake(_resendFrom))
        {
            return null;
        }

        var position = _resendFrom;
        var rows = Math.Min(rowsPerMessage, _resendEnd - position);
        var hidden = GC.AllocateUninitializedArray<float>(rows * width);
        Kept!.CopyTo(position, hidden);
        _resendFrom += rows;

        // Nothing was computed for it in this epoch.
        var times = ImmutableCollectionsMarshal.AsImmutableArray(new int[Open.HopIndex + 1]);
        return new FeedHidden(Open.Session, Epoch, position, rows, _isDrawnAfterResend && _resendFrom == _resendEnd, hidden, times);
    }
}
