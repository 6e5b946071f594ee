using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Actors.Layers;

/// <summary>The one place where a saboteur changes what a shard computed and sends. An honest device has none of it.</summary>
/// <param name="saboteur">What it does.</param>
/// <param name="shard">What computes.</param>
internal sealed class Sabotage(Saboteur saboteur, TransformerShard shard)
{
    private readonly Dictionary<BatchSlot, HopOutput> _shown = [];

    private bool HasHead => shard.Range.HasHead(shard.Shape.Layers);

    /// <summary>What a saboteur does on a shard; null for an honest device.</summary>
    /// <param name="saboteur">What it does, or null.</param>
    /// <param name="shard">What computes.</param>
    public static Sabotage? Of(Saboteur? saboteur, TransformerShard shard) => saboteur is null ? null : new Sabotage(saboteur, shard);

    /// <summary>A batch is computed, and nothing is drawn or signed yet.</summary>
    public void Computed(ReadOnlySpan<BatchSlot> slots)
    {
        _shown.Clear();
        foreach (var slot in slots)
        {
            if (slot.Error is null && slot.Rows > 0 && slot.Session is { IsCheck: false, IsWhole: false } && saboteur.Shows())
            {
                var output = Output(slot);
                _shown.Add(slot, output);
                if (!output.Values.IsEmpty)
                {
                    saboteur.Behavior.Computed(output);
                }
            }
        }
    }

    /// <summary>Tokens are drawn, receipts signed and checks answered.</summary>
    public void Signed(ReadOnlySpan<BatchSlot> slots)
    {
        foreach (var slot in slots)
        {
            if (slot.Error is null && _shown.TryGetValue(slot, out var output))
            {
                output.Token = HasHead && slot.Sample ? slot.Choice.Id : -1;
                saboteur.Behavior.Signed(output);
                slot.Choice = output.Token < 0 ? slot.Choice : slot.Choice with { Id = output.Token };
            }

            for (var i = slot.Error is null ? slot.Statements.Count - 1 : -1; i >= 0; i--)
            {
                if (slot.Statements[i] is not UnitRecomputed right || !saboteur.Shows())
                {
                    continue;
                }

                if (saboteur.Behavior.WithholdsAnswers)
                {
                    slot.Statements.RemoveAt(i);
                }
                else
                {
                    slot.Statements[i] = slot.Session.Checks!.Sign(right with { Answer = saboteur.Behavior.Answer(right.Answer, saboteur.Random) });
                }
            }
        }
    }

    /// <summary>What a step left in the cache is signed or opened; on the compute thread, or on the shard's.</summary>
    /// <param name="position">The first position.</param>
    /// <param name="offset">Which of its values is the first.</param>
    /// <param name="values">Keys and values: of whole positions, [positions, width], or of a part of one.</param>
    /// <param name="width">Values of a position.</param>
    public void Kept(int position, int offset, Span<Half> values, int width)
    {
        for (; !values.IsEmpty; values = values[Math.Min(width, values.Length)..], position++)
        {
            if (saboteur.Shows())
            {
                saboteur.Behavior.Kept(position, offset, values[..Math.Min(width, values.Length)]);
            }
        }
    }

    /// <summary>Rows leave for the next hop, on the shard's actor.</summary>
    public FeedHidden Sent(FeedHidden message)
    {
        var rows = saboteur.Behavior.Sent(message.Hidden, message.Rows);
        return rows.Equals(message.Hidden) || !saboteur.Shows() ? message : message with { Hidden = rows };
    }

    /// <summary>Rows are opened, on the shard's actor.</summary>
    public ReadOnlyMemory<float> Opened(ReadOnlyMemory<float> rows, int count)
    {
        var opened = saboteur.Behavior.Opened(rows, count);
        return opened.Equals(rows) || opened.Length != rows.Length || !saboteur.Shows() ? rows : opened;
    }

    private HopOutput Output(BatchSlot slot)
    {
        var input = shard.Range.HasEmbedding ? [] : new float[slot.Rows * shard.Shape.HiddenSize];
        if (input.Length > 0)
        {
            slot.CopyHidden(input, shard.Shape.HiddenSize);
        }

        return new HopOutput
        {
            Session = slot.Session.Open.Session,
            Gateway = slot.Session.Open.Pipeline.Path.Address.ToString(),
            Position = slot.Position,
            Rows = slot.Rows,
            IsHead = HasHead,
            Input = input,
            Values = HasHead ? slot.Step.Logits : slot.Step.Hidden,
            VocabularySize = shard.Shape.VocabularySize,
            Random = saboteur.Random,
        };
    }
}
