using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Calibration;

/// <summary>
/// The residual stream of some sequences between two units of a model: [sequences, length, hidden]. It goes through the
/// model unit by unit, so that no more than one unit's weights need to be in memory.
/// </summary>
internal sealed class ResidualStream
{
    // A batch has about so many rows, and its logits at most so many values: larger is no faster.
    private const int BatchRows = 1024;
    private const int BatchLogits = 1 << 22;

    private readonly ModelShape _shape;
    private readonly int _length;

    /// <summary>Looks the sequences up.</summary>
    /// <param name="shape">The model's shape.</param>
    /// <param name="embedding">Its embedding.</param>
    /// <param name="sequences">Token ids, all sequences of one length.</param>
    public ResidualStream(ModelShape shape, IEmbedding embedding, IReadOnlyList<int[]> sequences)
        : this(shape, sequences.Count == 0 ? 0 : sequences[0].Length, new float[(long)sequences.Sum(sequence => sequence.Length) * shape.HiddenSize])
    {
        var at = 0;
        foreach (var token in sequences.SelectMany(sequence => sequence))
        {
            embedding.Lookup(token, Values.AsSpan(at, shape.HiddenSize));
            at += shape.HiddenSize;
        }
    }

    public ResidualStream(ModelShape shape, int length, float[] values) => (_shape, _length, Values) = (shape, length, values);

    /// <summary>[sequences, length, hidden].</summary>
    public float[] Values { get; }

    /// <summary>Number of sequences.</summary>
    public int Sequences => _length == 0 ? 0 : Values.Length / _shape.HiddenSize / _length;

    /// <summary>The stream after a layer; this one stays as it is.</summary>
    public ResidualStream Through(LayerWeights layer, ComputeTeam team, CancellationToken cancellation)
    {
        var result = new ResidualStream(_shape, _length, [.. Values]);
        result.Advance(layer, team, cancellation);
        return result;
    }

    /// <summary>Takes this stream through a layer.</summary>
    public void Advance(LayerWeights layer, ComputeTeam team, CancellationToken cancellation)
    {
        using var source = new SingleUnit(_shape, layer, null);
        using var shard = TransformerShard.Load(source, new LayerRange(1, 2));
        var together = Math.Max(BatchRows / Math.Max(_length, 1), 1);
        for (var first = 0; first < Sequences; first += together)
        {
            cancellation.ThrowIfCancellationRequested();
            var steps = Enumerable.Range(first, Math.Min(together, Sequences - first))
                .Select(sequence => new ShardStep { Cache = shard.CreateCache(_length), Count = _length, Hidden = Rows(sequence) })
                .ToArray();
            Forward(shard, steps, team);
        }
    }

    /// <summary>Runs the layer on this stream for what its matrices see; the stream stays as it is.</summary>
    public void Show(LayerWeights layer, ComputeTeam team, CancellationToken cancellation)
    {
        using var source = new SingleUnit(_shape, layer, null);
        using var shard = TransformerShard.Load(source, new LayerRange(1, 2));
        var together = Math.Max(BatchRows / Math.Max(_length, 1), 1);
        var scratch = new float[together * _length * _shape.HiddenSize];
        for (var first = 0; first < Sequences; first += together)
        {
            cancellation.ThrowIfCancellationRequested();
            var count = Math.Min(together, Sequences - first);
            Values.AsSpan(first * _length * _shape.HiddenSize, count * _length * _shape.HiddenSize).CopyTo(scratch);
            var steps = Enumerable.Range(0, count).Select(index => new ShardStep
            {
                Cache = shard.CreateCache(_length),
                Count = _length,
                Hidden = scratch.AsMemory(index * _length * _shape.HiddenSize, _length * _shape.HiddenSize),
            }).ToArray();
            Forward(shard, steps, team);
        }
    }

    /// <summary>Runs the head on this stream.</summary>
    /// <param name="head">The head.</param>
    /// <param name="see">Is given the logits of some positions of a sequence, [positions, vocabulary]: sequence, first position, logits. Or null, where only what the head's matrix sees is wanted.</param>
    /// <param name="team">The threads that compute.</param>
    /// <param name="cancellation">Ends the work early.</param>
    public void Project(HeadWeights head, Action<int, int, ReadOnlyMemory<float>>? see, ComputeTeam team, CancellationToken cancellation)
    {
        using var source = new SingleUnit(_shape, null, head);
        using var shard = TransformerShard.Load(source, new LayerRange(_shape.Layers + 1, _shape.Layers + 2));
        var piece = Math.Clamp(BatchLogits / _shape.VocabularySize, 1, Math.Max(_length, 1));
        var logits = new float[piece * _shape.VocabularySize];
        var scratch = new float[piece * _shape.HiddenSize];
        for (var sequence = 0; sequence < Sequences; sequence++)
        {
            using var cache = shard.CreateCache(_length);
            for (var position = 0; position < _length; position += piece)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = Math.Min(piece, _length - position);
                Rows(sequence).Span.Slice(position * _shape.HiddenSize, count * _shape.HiddenSize).CopyTo(scratch);
                shard.Forward([new ShardStep { Cache = cache, Count = count, Hidden = scratch.AsMemory(0, count * _shape.HiddenSize), LogitRows = count, Logits = logits }], team);
                see?.Invoke(sequence, position, logits.AsMemory(0, count * _shape.VocabularySize));
            }
        }
    }

    private static void Forward(TransformerShard shard, ShardStep[] steps, ComputeTeam team)
    {
        shard.Forward(steps, team);
        foreach (var step in steps)
        {
            step.Cache.Dispose();
        }
    }

    private Memory<float> Rows(int sequence) => Values.AsMemory(sequence * _length * _shape.HiddenSize, _length * _shape.HiddenSize);
}
