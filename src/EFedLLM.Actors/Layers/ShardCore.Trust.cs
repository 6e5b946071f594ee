using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Caching;

namespace EFedLLM.Actors.Layers;

/// <summary>What it does so that others can check what it computes.</summary>
internal sealed partial class ShardCore
{
    /// <summary>A pipeline wants receipts, or answers, of everything that was fed.</summary>
    public void Seal(SealReceipts message, IActorRef sender)
    {
        if (_sessions.Asked(message, sender) is not { IsResumed: true } session)
        {
            return;
        }

        session.LastActive = _outlet.Now;
        if (message.Length >= session.Confirmed && session.Takes(message.Length))
        {
            session.TakeBack(message.Length);
        }

        session.AskSeal();
        _line.Join(session);
        Compute();
    }

    /// <summary>A pipeline wants what was given or kept: <see cref="FetchKept"/>, or <see cref="FetchCache"/>, which waits for a batch that computes now.</summary>
    public void Open(ISessionMessage message, IActorRef sender)
    {
        if (_sessions.Asked(message, sender) is not { } session)
        {
            return;
        }

        session.LastActive = _outlet.Now;
        switch (message)
        {
            case FetchKept kept:
                Open(kept, session);
                break;
            case FetchCache cache:
                session.CacheAsked = cache;
                OpenCache(session);
                break;
            default:
                throw new InvalidOperationException($"{message.GetType().Name} asks for no opening.");
        }
    }

    /// <summary>A pipeline wants what was given or kept, and gets nothing.</summary>
    public void Refuse(ISessionMessage message, IActorRef sender)
    {
        if (_sessions.Asked(message, sender) is not { } session)
        {
            return;
        }

        switch (message)
        {
            case FetchKept kept:
                Give(session, kept, 0, default);
                break;
            case FetchCache cache:
                Give(session, cache, 0, default);
                break;
            default:
                throw new InvalidOperationException($"{message.GetType().Name} asks for no opening.");
        }
    }

    /// <summary>A pipeline gives a session that checks another one what that one's hop keeps, so that it need not be computed again.</summary>
    public void Feed(FeedCache message, IActorRef sender)
    {
        var decision = _sessions.Feed(message, sender);
        switch (decision.Outcome)
        {
            case FeedOutcome.Accepted:
                Import(message, decision.Session!);
                break;
            case FeedOutcome.Rejected:
                _outlet.Send(sender, new StepRejected(message.Session, message.Epoch, decision.Session!.Open.HopIndex, message.Position, decision.Session.NextPosition));
                break;
            case FeedOutcome.Failed:
                Fail(decision.Session!, decision.Problem);
                break;
            default:
                break;
        }
    }

    private void Import(FeedCache message, ShardSession session)
    {
        session.LastActive = _outlet.Now;
        var cache = session.Cache!;
        try
        {
            if (message.Values.IsEmpty)
            {
                cache.Skip(message.Rows);
            }
            else
            {
                cache.Import(message.Offset, message.Values.Span);
            }
        }
        catch (InvalidDataException e)
        {
            Fail(session, e.Message);
            return;
        }

        session.NextPosition = cache.Length;
        _outlet.Send(session.Open.Pipeline, new HiddenReceived(session.Open.Session, session.Epoch, message.Position));
    }

    private void Open(FetchKept message, ShardSession session)
    {
        if ((message.Taken ? session.Taken : session.Kept) is not { } kept
            || message.Rows < 1 || message.Rows > _rowsPerMessage || message.Position < kept.From || message.Rows > kept.End - message.Position)
        {
            Give(session, message, 0, default);
            return;
        }

        var hidden = GC.AllocateUninitializedArray<float>(message.Rows * _width);
        kept.CopyTo(message.Position, hidden);
        Give(session, message, message.Rows, hidden);
    }

    /// <summary>Gives what was asked for of the cache, as much of it as one message carries, unless a batch computes with it now.</summary>
    private void OpenCache(ShardSession session)
    {
        if (session.CacheAsked is not { } asked || session.IsComputing)
        {
            return;
        }

        session.CacheAsked = null;
        if (asked.Epoch != session.Epoch)
        {
            return;
        }

        var (cache, width) = (session.Cache!, session.Cache!.PositionValues);
        if (session.IsCheck || width == 0 || asked.Position < 0 || asked.Rows < 1 || asked.Rows > session.Computed - asked.Position
            || asked.Offset < 0 || asked.Offset >= width || asked.Offset % cache.RowValues != 0)
        {
            Give(session, asked, 0, default);
            return;
        }

        // A position that is too large for a message travels in parts, none of which cuts a key or a value.
        var most = _messageBytes / KvCache.ValueBytes;
        var isWhole = asked.Offset == 0 && width <= most;
        var rows = isWhole ? Math.Min(asked.Rows, most / width) : 1;
        var values = isWhole ? rows * width : Math.Min(width - asked.Offset, Math.Max(1, most / cache.RowValues) * cache.RowValues);
        var block = GC.AllocateUninitializedArray<Half>(values);
        cache.Export(asked.Position, asked.Offset, block);
        _sabotage?.Kept(asked.Position, asked.Offset, block, width);
        Give(session, asked, rows, block);
    }

    private void Give(ShardSession session, FetchCache asked, int rows, ReadOnlyMemory<Half> values)
        => _outlet.Send(session.Open.Pipeline, new CacheOpened(
            session.Open.Session, session.Epoch, session.Open.HopIndex, asked.Position, asked.Offset, rows, session.Cache!.PositionValues, values));

    /// <summary>Loses a session of which its pipeline asks, as a program that was started anew has lost it: nobody is told.</summary>
    public void Lose(ISessionMessage message, IActorRef sender) => Close(_sessions.Asked(message, sender));

    private void Give(ShardSession session, FetchKept asked, int rows, ReadOnlyMemory<float> hidden)
    {
        if (rows > 0 && _sabotage is not null)
        {
            hidden = _sabotage.Opened(hidden, rows);
        }

        var given = new KeptRows(session.Open.Session, session.Epoch, session.Open.HopIndex, asked.Position, rows, hidden, asked.Taken);
        _outlet.Send(session.Open.Pipeline, rows > 0 && session.Receipts is { } receipts ? receipts.Sign(given) : given);
    }

    /// <summary>What was signed in an epoch that has passed is still said: it is what this hop stands for.</summary>
    private void Vouch(BatchSlot slot, ShardSession session)
    {
        foreach (var statement in slot.Statements)
        {
            _outlet.Send(session.Open.Pipeline, statement);
        }

        if (slot.Seals && slot.Epoch == session.Epoch)
        {
            _outlet.Send(session.Open.Pipeline, new ReceiptsSealed(session.Open.Session, session.Epoch, session.Open.HopIndex, Math.Min(session.Computed, session.Confirmed)));
        }
    }
}
