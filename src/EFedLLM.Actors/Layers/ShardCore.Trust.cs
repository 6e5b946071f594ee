using Akka.Actor;
using EFedLLM.Actors.Protocol;

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
        session.AskSeal();
        _line.Join(session);
        Compute();
    }

    /// <summary>A pipeline wants what was given.</summary>
    public void Fetch(FetchKept message, IActorRef sender)
    {
        if (_sessions.Asked(message, sender) is not { } session)
        {
            return;
        }

        session.LastActive = _outlet.Now;
        if (session.Kept is not { } kept || message.Rows < 1 || message.Rows > _rowsPerMessage || message.Position < kept.From || message.Rows > kept.End - message.Position)
        {
            Give(session, message.Position, 0, default);
            return;
        }

        var hidden = GC.AllocateUninitializedArray<float>(message.Rows * _width);
        kept.CopyTo(message.Position, hidden);
        Give(session, message.Position, message.Rows, hidden);
    }

    /// <summary>A pipeline wants what was given, and gets nothing.</summary>
    public void Refuse(FetchKept message, IActorRef sender)
    {
        if (_sessions.Asked(message, sender) is { } session)
        {
            Give(session, message.Position, 0, default);
        }
    }

    /// <summary>Loses a session of which its pipeline asks, as a program that was started anew has lost it: nobody is told.</summary>
    public void Lose(ISessionMessage message, IActorRef sender) => Close(_sessions.Asked(message, sender));

    private void Give(ShardSession session, int position, int rows, ReadOnlyMemory<float> hidden)
        => _outlet.Send(session.Open.Pipeline, new KeptRows(session.Open.Session, session.Epoch, session.Open.HopIndex, position, rows, hidden));

    /// <summary>What was signed in an epoch that has passed is still said: it is what this hop stands for.</summary>
    private void Vouch(BatchSlot slot, ShardSession session)
    {
        foreach (var statement in slot.Statements)
        {
            _outlet.Send(session.Open.Pipeline, statement);
        }

        if (slot.Seals && slot.Epoch == session.Epoch)
        {
            _outlet.Send(session.Open.Pipeline, new ReceiptsSealed(session.Open.Session, session.Epoch, session.Open.HopIndex, session.Computed));
        }
    }
}
