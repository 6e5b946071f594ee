using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Calibration;

/// <summary>
/// The residual stream of some sequences between two units of a model: [sequences, length, hidden]. It goes through the
/// model unit by unit, so that no more than one unit's weights need to be in memory. Threads take batches of sequences,
/// each computed by one of them; what an observer sees comes in the order of the sequences.
/// </summary>
internal sealed class ResidualStream
{
    // A batch has about so many rows, and its logits at most so many values: larger is no faster.
    private const int BatchRows = 512;
    private const int BatchLogits = 1 << 22;

    private readonly ModelShape _shape;
    private readonly int _length;

    /// <summary>Looks the sequences up.</summary>
    /// <param name="shape">The model's shape.</param>
    /// <param name="embedding">Its embedding.</param>
    /// <param name="sequences">Token ids, all sequences of one length.</param>
    public ResidualStream(ModelShape shape, IEmbedding embedding, IReadOnlyList<int[]> sequences)
        : this(shape, sequences.Count == 0 ? 1 : sequences[0].Length, new float[sequences.Sum(sequence => (long)sequence.Length) * shape.HiddenSize])
    {
        var at = 0;
        foreach (var token in sequences.SelectMany(sequence => sequence))
        {
            embedding.Lookup(token, Values.AsSpan(at, shape.HiddenSize));
            at += shape.HiddenSize;
        }
    }

    /// <summary>Takes up a stream where it was left.</summary>
    /// <param name="shape">The model's shape.</param>
    /// <param name="length">Positions of a sequence.</param>
    /// <param name="values">[sequences, length, hidden].</param>
    public ResidualStream(ModelShape shape, int length, float[] values) => (_shape, _length, Values) = (shape, length, values);

    /// <summary>[sequences, length, hidden].</summary>
    public float[] Values { get; }

    /// <summary>Positions of a sequence.</summary>
    public int Length => _length;

    /// <summary>Number of sequences.</summary>
    public int Sequences => Values.Length / SequenceValues;

    private int SequenceValues => _length * _shape.HiddenSize;

    /// <summary>The stream after a layer; this one stays as it is.</summary>
    public ResidualStream Through(LayerWeights layer, int threads, CancellationToken cancellation)
    {
        var result = new ResidualStream(_shape, _length, [.. Values]);
        result.Advance(layer, null, threads, cancellation);
        return result;
    }

    /// <summary>Takes this stream through a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="observer">Sees what its matrices see, or null.</param>
    /// <param name="threads">Threads that may take part; the result is the same for any number.</param>
    /// <param name="cancellation">Ends the work early.</param>
    public void Advance(LayerWeights layer, IInputObserver? observer, int threads, CancellationToken cancellation) =>
        Run(layer, batch => batch, observer, threads, cancellation);

    /// <summary>Runs a layer on this stream for what its matrices see; the stream stays as it is.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="observer">Sees what its matrices see.</param>
    /// <param name="threads">Threads that may take part; the result is the same for any number.</param>
    /// <param name="cancellation">Ends the work early.</param>
    public void Show(LayerWeights layer, IInputObserver observer, int threads, CancellationToken cancellation) =>
        Run(layer, batch => batch.ToArray(), observer, threads, cancellation);

    /// <summary>Runs the head on this stream.</summary>
    /// <param name="head">The head.</param>
    /// <param name="score">Makes a number of the logits of some positions of a sequence, [positions, vocabulary]: sequence, first position, logits. Called from several threads.</param>
    /// <param name="observer">Sees the inputs of the head's matrix, or null.</param>
    /// <param name="threads">Threads that may take part; the result is the same for any number.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>The sum of the numbers.</returns>
    public double Project(HeadWeights head, Func<int, int, ReadOnlyMemory<float>, double> score, IInputObserver? observer, int threads, CancellationToken cancellation)
    {
        using var source = new SingleUnit(_shape, null, head);
        var piece = Math.Clamp(BatchLogits / _shape.VocabularySize, 1, _length);
        var sums = new double[Sequences];
        OrderedBatches.Run(Sequences, observer, threads, (sequence, recorder) =>
        {
            using var shard = TransformerShard.Load(source, new LayerRange(_shape.Layers + 1, _shape.Layers + 2));
            using var team = new ComputeTeam(1);
            using var cache = shard.CreateCache(_length);
            shard.InputObserver = recorder;
            var logits = new float[piece * _shape.VocabularySize];
            for (var position = 0; position < _length; position += piece)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = Math.Min(piece, _length - position);
                var hidden = Values.AsSpan(sequence * SequenceValues + position * _shape.HiddenSize, count * _shape.HiddenSize).ToArray();
                shard.Forward([new ShardStep { Cache = cache, Count = count, Hidden = hidden, LogitRows = count, Logits = logits }], team);
                sums[sequence] += score(sequence, position, logits.AsMemory(0, count * _shape.VocabularySize));
            }
        }, cancellation);
        return sums.Sum();
    }

    private void Run(LayerWeights layer, Func<Memory<float>, Memory<float>> place, IInputObserver? observer, int threads, CancellationToken cancellation)
    {
        using var source = new SingleUnit(_shape, layer, null);
        var together = Math.Max(BatchRows / _length, 1);
        OrderedBatches.Run((Sequences + together - 1) / together, observer, threads, (batch, recorder) =>
        {
            using var shard = TransformerShard.Load(source, new LayerRange(1, 2));
            using var team = new ComputeTeam(1);
            shard.InputObserver = recorder;
            var count = Math.Min(together, Sequences - batch * together);
            var hidden = place(Values.AsMemory(batch * together * SequenceValues, count * SequenceValues));
            var steps = Enumerable.Range(0, count)
                .Select(index => new ShardStep { Cache = shard.CreateCache(_length), Count = _length, Hidden = hidden.Slice(index * SequenceValues, SequenceValues) })
                .ToArray();
            shard.Forward(steps, team);
            foreach (var step in steps)
            {
                step.Cache.Dispose();
            }
        }, cancellation);
    }
}
