using System.Collections.Immutable;
using System.Runtime.InteropServices;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// One forward of a shard: the steps of several sessions at once. The actor fills it, hands it to the compute thread and leaves it
/// alone until <c>done</c>; so there is one of it for a shard's whole life.
/// </summary>
/// <param name="shard">The weights.</param>
/// <param name="mostRows">Most rows of a batch.</param>
/// <param name="done">Called on the compute thread when the results are there.</param>
/// <param name="sabotage">What changes them; null for an honest device.</param>
internal sealed class ShardBatch(TransformerShard shard, int mostRows, Action done, Sabotage? sabotage = null) : IComputeJob
{
    // Rows whose logits are all looked at make a buffer of that many values at most.
    private const int MostScoredLogits = 1 << 22;

    private readonly int _mostRows = mostRows;
    private readonly List<BatchSlot> _slots = [];
    private readonly Sampler _sampler = new();
    private readonly WorkWitness _witness = new(shard, sabotage);
    private ShardStep[] _steps = [];
    private float[] _hidden = [];
    private float[] _logits = [];

    /// <summary>The filled places.</summary>
    public ReadOnlySpan<BatchSlot> Slots => CollectionsMarshal.AsSpan(_slots)[..Count];

    /// <summary>Number of filled places.</summary>
    public int Count { get; private set; }

    /// <summary>Rows that still fit.</summary>
    public int Room { get; private set; } = mostRows;

    /// <summary>Whether the compute thread has it.</summary>
    public bool IsComputing { get; set; }

    private bool HasHead => shard.Range.HasHead(shard.Shape.Layers);

    /// <summary>Takes at most <paramref name="most"/> of the rows that wait for a session.</summary>
    /// <returns>Rows taken.</returns>
    public int Add(ShardSession session, int most)
    {
        if (Count == _slots.Count)
        {
            _slots.Add(new BatchSlot { Session = session, Step = new ShardStep { Cache = session.Cache! } });
        }

        var slot = _slots[Count++];
        slot.Reset(session);

        if (session.HasStep)
        {
            // A whole sequence may go beyond the batch's room, as long as there is any.
            session.Steps.Take(session.IsWhole ? int.MaxValue : Math.Min(Math.Min(most, Room), Math.Min(MostRowsOf(session), session.RowsToSeal)), slot);
        }

        slot.Seals = session.TakeSeal();
        (session.ComputingRows, session.IsSealing) = (slot.Rows, slot.Seals);
        Room -= slot.Rows;
        return slot.Rows;
    }

    /// <summary>What leaves instead of a message to the next hop: of an honest device the message.</summary>
    public FeedHidden Outgoing(FeedHidden message) => sabotage is null ? message : sabotage.Sent(message);

    /// <summary>Empties it.</summary>
    public void Clear()
    {
        foreach (var slot in Slots)
        {
            slot.Release();
        }

        (Count, Room) = (0, _mostRows);
    }

    /// <inheritdoc/>
    public void Run(ComputeTeam team)
    {
        try
        {
            Prepare();
            Compute(team);
            sabotage?.Computed(Slots);
            Draw();
            State();
            sabotage?.Signed(Slots);
        }
        catch (Exception e)
        {
            // Nothing is known about any result.
            foreach (var slot in Slots)
            {
                slot.Error ??= $"computing failed: {e.Message}";
            }
        }

        done();
    }

    private void Prepare()
    {
        var (width, vocabulary) = (shard.Shape.HiddenSize, shard.Shape.VocabularySize);
        if (HasHead)
        {
            // Nothing of it leaves the shard, so it is one buffer for ever.
            Grow(ref _hidden, (_mostRows - Room) * width);
            Grow(ref _logits, shard.Shape.Encoder is null ? LogitRows() * vocabulary : 0);
        }

        if (_steps.Length < Count)
        {
            _steps = new ShardStep[Count];
        }

        var (row, draws) = (0, 0);
        foreach (var slot in Slots)
        {
            if (slot.Rows == 0)
            {
                continue;
            }

            var step = slot.Step;
            (step.Cache, step.Count, step.LogitRows, step.Logits, step.Output) = (slot.Session.Cache!, slot.Rows, 0, default, SequenceOutput.None);

            // Rows that leave are handed on as they are: the next hop may be in this process and read them for as long as it likes.
            step.Hidden = HasHead ? _hidden.AsMemory(row * width, slot.Rows * width) : GC.AllocateUninitializedArray<float>(slot.Rows * width);
            if (shard.Range.HasEmbedding)
            {
                step.Tokens = slot.Tokens();
            }

            if (HasHead && slot.Sample && slot.Session.IsWhole)
            {
                // It leaves the process, or is handed on as it is.
                step.Output = slot.Session.Open.Output;
                step.Logits = new float[shard.Shape.OutputWidth(step.Output)];
            }
            else if (HasHead)
            {
                step.LogitRows = LogitRows(slot);
                step.Logits = _logits.AsMemory(draws * vocabulary, step.LogitRows * vocabulary);
                draws += step.LogitRows;
            }

            row += slot.Rows;
            LoadInput(slot);
        }
    }

    /// <summary>Rows of a session that one batch takes: fewer where all of their logits are looked at, which also go out as one message.</summary>
    private int MostRowsOf(ShardSession session)
    {
        if (!HasHead || !(session.IsScored || session.IsCheck))
        {
            return int.MaxValue;
        }

        const int BytesOfProbability = 12;
        var bytes = (2 + session.Open.Sampling.TopLogprobs) * BytesOfProbability;
        return Math.Max(1, Math.Min(MostScoredLogits / shard.Shape.VocabularySize, session.IsScored ? ProtocolLimits.ActivationBytes / bytes : int.MaxValue));
    }

    private int LogitRows()
    {
        var rows = 0;
        foreach (var slot in Slots)
        {
            rows += LogitRows(slot);
        }

        return rows;
    }

    /// <summary>Rows whose logits are wanted: all of a prompt that is scored, of a step with drafts, or after which a draw is checked, else the one that a token is drawn from.</summary>
    private static int LogitRows(BatchSlot slot)
        => slot.Session.Open.Audit is { } audit ? Math.Clamp(slot.Position + slot.Rows - audit.DrawFrom, 0, slot.Rows)
            : slot.IsDrafted || (slot.Session.IsScored && slot.Position + 1 < slot.Session.Open.Scored.Length) ? slot.Rows : slot.Sample ? 1 : 0;

    private void LoadInput(BatchSlot slot)
    {
        if (!shard.Range.HasEmbedding)
        {
            slot.CopyHidden(slot.Step.Hidden.Span, shard.Shape.HiddenSize);
        }
    }

    private void Compute(ComputeTeam team)
    {
        var start = ThreadTime.Microseconds();
        for (var good = Good(); good > 0; good = Good())
        {
            try
            {
                shard.Forward(_steps.AsSpan(0, good), team);
                var microseconds = Microseconds(start);
                foreach (var slot in Slots)
                {
                    slot.Microseconds = slot.Error is null ? microseconds : 0;
                }

                return;
            }
            catch (NonFiniteStepException e)
            {
                // One bad session must not harm the others, which are where they were: again without it.
                var slot = Slot(_steps[e.Step]);
                (slot.Error, slot.IsUnsound) = ($"computing failed: {e.Message}", true);
            }
            catch (Exception)
            {
                foreach (var slot in Slots)
                {
                    ComputeAlone(slot, team);
                }

                return;
            }
        }
    }

    /// <summary>Gathers the steps that have not failed.</summary>
    private int Good()
    {
        var good = 0;
        foreach (var slot in Slots)
        {
            if (slot.Error is null && slot.Rows > 0)
            {
                _steps[good++] = slot.Step;
            }
        }

        return good;
    }

    private BatchSlot Slot(ShardStep step)
    {
        foreach (var slot in Slots)
        {
            if (ReferenceEquals(slot.Step, step))
            {
                return slot;
            }
        }

        throw new InvalidOperationException("The step is of another batch.");
    }

    private void ComputeAlone(BatchSlot slot, ComputeTeam team)
    {
        if (slot.Error is not null || slot.Rows == 0)
        {
            return;
        }

        var start = ThreadTime.Microseconds();
        try
        {
            slot.Step.Cache.Truncate(slot.Position);
            LoadInput(slot);
            shard.Forward([slot.Step], team);
            slot.Microseconds = Microseconds(start);
        }
        catch (Exception e)
        {
            slot.Error = $"computing failed: {e.Message}";
        }
    }

    private void Draw()
    {
        foreach (var slot in Slots)
        {
            if (slot.Error is not null || slot.Rows == 0 || slot.Step.LogitRows == 0 || slot.Session.IsCheck)
            {
                continue;
            }

            try
            {
                slot.Scores = Scores(slot);
                if (slot.Sample)
                {
                    slot.Choice = Draw(slot, slot.FirstDrawn);
                    slot.Further = Further(slot);
                }
            }
            catch (ArithmeticException e)
            {
                (slot.Error, slot.IsUnsound) = ($"no token could be drawn: {e.Message}", true);
            }
        }
    }

    /// <summary>Draws after a row what would be drawn there if nothing were guessed: the position alone decides about the random number.</summary>
    private TokenChoice Draw(BatchSlot slot, int row)
    {
        var (vocabulary, logits) = (shard.Shape.VocabularySize, row - (slot.Rows - slot.Step.LogitRows));
        return _sampler.Draw(slot.Step.Logits.Span.Slice(logits * vocabulary, vocabulary), slot.Session.Open.Sampling, slot.Position + row + 1);
    }

    private ImmutableArray<TokenChoice> Further(BatchSlot slot)
    {
        if (!slot.IsDrafted)
        {
            return [];
        }

        var further = new TokenChoice[slot.Rows - 1];
        for (var draft = 0; draft < further.Length; draft++)
        {
            further[draft] = Draw(slot, draft + 1);
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(further);
    }

    private ImmutableArray<TokenChoice> Scores(BatchSlot slot)
    {
        var (open, vocabulary) = (slot.Session.Open, shard.Shape.VocabularySize);
        if (!slot.Session.IsScored || slot.Position + 1 >= open.Scored.Length)
        {
            return [];
        }

        var scores = new TokenChoice[Math.Min(slot.Rows, open.Scored.Length - slot.Position - 1)];
        for (var row = 0; row < scores.Length; row++)
        {
            scores[row] = _sampler.Score(slot.Step.Logits.Span.Slice(row * vocabulary, vocabulary), open.Scored[slot.Position + row + 1], open.Sampling);
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(scores);
    }

    private void State()
    {
        foreach (var slot in Slots)
        {
            if (slot.Error is null)
            {
                _witness.State(slot);
            }
        }
    }

    private static int Microseconds(long start) => (int)Math.Min(int.MaxValue, ThreadTime.Microseconds() - start);

    private static void Grow(ref float[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = GC.AllocateUninitializedArray<float>(length);
        }
    }
}
