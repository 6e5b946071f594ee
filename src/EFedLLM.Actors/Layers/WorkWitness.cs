using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Layers;

/// <summary>Says, on the compute thread, what a shard computed: for receipts where a session is signed, for answers where it checks another one.</summary>
/// <param name="shard">What computed.</param>
/// <param name="sabotage">What a dishonest device says instead; null for an honest one.</param>
internal sealed class WorkWitness(TransformerShard shard, Sabotage? sabotage)
{
    private readonly Sampler _sampler = new();
    private readonly Half[] _kept = new Half[KvCache.ValuesFor(shard.Shape, shard.Range)];

    private int Width => shard.Shape.HiddenSize;

    /// <summary>Fills <see cref="BatchSlot.Statements"/> of work that is done. What cannot be vouched for fails.</summary>
    public void State(BatchSlot slot)
    {
        var session = slot.Session;
        if (session is { Receipts: null, Checks: null })
        {
            return;
        }

        try
        {
            Take(slot);
            if (slot.Seals)
            {
                session.Receipts?.Seal(slot.Statements);
                session.Checks?.Seal(slot.Statements);
            }
        }
        catch (Exception e)
        {
            slot.Error = $"what was computed could not be vouched for: {e.Message}";
        }
    }

    private void Take(BatchSlot slot)
    {
        var (row, receipts, checks) = (0, slot.Session.Receipts, slot.Session.Checks);
        foreach (var part in slot.Parts)
        {
            for (var i = part.From; i < part.From + part.Rows; i++, row++)
            {
                var (position, input, output, kept) = (slot.Position + row, Input(part.Piece, i), Output(slot, row), Kept(slot, slot.Position + row));
                receipts?.Add(position, input, output, kept, slot.IsDrafted && row > 0, slot.Statements);
                checks?.Add(position, input, output, kept, (double)slot.Microseconds / slot.Rows, slot.Statements);
            }
        }
    }

    private Digest Input(StepPiece piece, int row)
        => shard.Range.HasEmbedding ? PositionDigest.OfToken(piece.Tokens.Span[row]) : PositionDigest.OfRow(piece.Hidden.Span.Slice(row * Width, Width));

    /// <summary>What a position added to the cache: nothing where nothing is kept.</summary>
    private Digest Kept(BatchSlot slot, int position)
    {
        if (_kept.Length > 0)
        {
            slot.Step.Cache.Export(position, 0, _kept);
            if (!slot.Session.IsCheck)
            {
                sabotage?.Kept(position, 0, _kept, _kept.Length);
            }
        }

        return PositionDigest.OfRow(_kept);
    }

    /// <summary>What goes out at a position: the row; at the head what is drawn after it; at the head of an encoder, at the last one, what is made of all.</summary>
    private Digest Output(BatchSlot slot, int row)
    {
        var session = slot.Session;
        if (!shard.Range.HasHead(shard.Shape.Layers))
        {
            return PositionDigest.OfRow(slot.Step.Hidden.Span.Slice(row * Width, Width));
        }

        if (session.IsWhole)
        {
            return row + 1 == session.Open.TokenLimit ? PositionDigest.OfRow(slot.Step.Logits.Span) : default;
        }

        if (session.Checks is { } checks)
        {
            return Drawn(slot, checks, row);
        }

        return slot.DrawnAfter(row) is { } choice ? PositionDigest.OfDraw(choice.Id, choice.Logprob) : default;
    }

    /// <summary>What one that serves draws after a row, one after the other.</summary>
    private Digest Drawn(BatchSlot slot, CheckBook checks, int row)
    {
        var (vocabulary, logits) = (shard.Shape.VocabularySize, row - (slot.Rows - slot.Step.LogitRows));
        if (logits < 0 || !slot.Session.Open.Audit!.IsDrawn(slot.Position + row))
        {
            return default;
        }

        var choice = _sampler.Draw(slot.Step.Logits.Span.Slice(logits * vocabulary, vocabulary), checks.Sampling, slot.Position + row + 1);
        return PositionDigest.OfDraw(choice.Id, choice.Logprob);
    }
}
