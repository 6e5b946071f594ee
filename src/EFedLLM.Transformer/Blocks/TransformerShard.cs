using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>A contiguous range of a model's units, loaded and ready to compute. Not thread-safe: one caller at a time.</summary>
public sealed class TransformerShard : IDisposable
{
    // Below so many multiplications, waking threads takes longer than attention.
    private const long SmallAttention = 1 << 15;

    private readonly IEmbedding? _embedding;
    private readonly LayerWeights[] _layers;
    private readonly HeadWeights? _head;
    private readonly RotaryAngles _angles;
    private readonly RunState _state;
    private readonly AttentionWork _attention;
    private readonly RowWork _rows;
    private readonly EncoderPass? _encoder;
    private readonly WeightStream? _stream;
    private readonly IModelSource _source;
    private bool _disposed;

    private TransformerShard(IModelSource source, LayerRange range, IEmbedding? embedding, LayerWeights[] layers, HeadWeights? head, WeightStream? stream = null)
    {
        (_source, Range, _embedding, _layers, _head, _stream) = (source, range, embedding, layers, head, stream);
        var shape = Shape = source.Shape;
        _angles = new RotaryAngles(shape.Rope, shape.HeadSize, shape.ContextLength);
        _state = new RunState(shape, layers.Length > 0);
        _attention = new AttentionWork(shape) { State = _state };
        _rows = new RowWork(shape, _state, _attention);
        var computed = layers.Sum(BytesOf) + (head is null ? 0 : BytesOf(head.Projection) + BytesOf(head.Norm));
        WeightBytes = computed + (embedding is null ? 0 : embedding.Rows * embedding.BytesPerRow);
        WeightBytesPerToken = computed + (embedding?.BytesPerRow ?? 0);
    }

    private TransformerShard(IModelSource source, LayerRange range, EncoderPass encoder)
        : this(source, range, null, [], null) => (_encoder, WeightBytes, WeightBytesPerToken) = (encoder, encoder.WeightBytes, encoder.WeightBytesPerToken);

    /// <summary>The model's hyper-parameters.</summary>
    public ModelShape Shape { get; }

    /// <summary>The units this shard holds.</summary>
    public LayerRange Range { get; }

    /// <summary>Bytes of weights of its units, those included that stay on disk.</summary>
    public long WeightBytes { get; }

    /// <summary>Bytes that a step reads from disk, rows of an embedding aside; 0 where all weights are in memory.</summary>
    public long StreamedBytes { get; private init; }

    /// <summary>Bytes of weights read to compute one step of one token, its logits included where the shard has the head.</summary>
    public long WeightBytesPerToken { get; }

    /// <summary>Sees the inputs of all matrices in the following forward passes, or null. It changes no result.</summary>
    public IInputObserver? InputObserver { get; set; }

    /// <summary>Loads the units <paramref name="range"/> of <paramref name="source"/>, which must outlive the shard.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The model has no such range.</exception>
    /// <exception cref="InvalidDataException">The source's weights are damaged or do not fit its shape.</exception>
    public static TransformerShard Load(IModelSource source, LayerRange range) => Load(source, range, long.MaxValue);

    /// <summary>
    /// Loads the units <paramref name="range"/> of <paramref name="source"/>, which must outlive the shard, within so much memory: what does
    /// not fit is read from disk for every step (<see cref="StreamPlan"/>). The results have the same bits.
    /// </summary>
    /// <param name="source">The model.</param>
    /// <param name="range">The units.</param>
    /// <param name="memory">Bytes for weights; caches and activations are beside them.</param>
    /// <exception cref="ArgumentOutOfRangeException">The model has no such range.</exception>
    /// <exception cref="InvalidDataException">The source's weights are damaged or do not fit its shape.</exception>
    /// <exception cref="NotSupportedException">They do not fit, and are of a kind that cannot be streamed, or need more even so; the message says how much.</exception>
    public static TransformerShard Load(IModelSource source, LayerRange range, long memory)
    {
        ArgumentNullException.ThrowIfNull(source);
        var shape = source.Shape;
        if (!range.IsValid(shape.Layers))
        {
            throw new ArgumentOutOfRangeException(nameof(range), range, $"The model has the units {LayerRange.Whole(shape.Layers)}.");
        }

        if (StreamRules.Plan(source, range, memory) is { } plan)
        {
            return Stream((FactoredModel)source, plan);
        }

        if (shape.Encoder is not null)
        {
            return new TransformerShard(source, range, EncoderPass.Load(source, range));
        }

        var embedding = range.HasEmbedding ? WeightRules.Check(source.LoadEmbedding(), shape) : null;
        var layers = Layers(range, shape).Select(layer => WeightRules.Check(source.LoadLayer(layer), shape, layer)).ToArray();
        var head = range.HasHead(shape.Layers) ? WeightRules.Check(source.LoadHead(), shape) : null;
        return new TransformerShard(source, range, embedding, layers, head);
    }

    /// <summary>Creates an empty cache (of an encoder, one that holds nothing but its length) for a session of at most <paramref name="limit"/> positions.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not 1 to the model's context length.</exception>
    public KvCache CreateCache(int limit) => new(Shape, Range, limit);

    /// <summary>
    /// Computes all steps as one batch. The bits of each step's result do not depend on the other steps, on how a
    /// session's positions are cut into steps, on the team, or on the processor's vector width.
    /// </summary>
    /// <param name="steps">At most one step per cache.</param>
    /// <param name="team">The threads that share the work.</param>
    /// <exception cref="ArgumentException">A step does not fit the shard, its cache or another step. Nothing has changed.</exception>
    /// <exception cref="NonFiniteStepException">A step's input or result is infinite or NaN. No cache's length and no step's <see cref="ShardStep.Hidden"/> has changed.</exception>
    /// <exception cref="IOException">A file of which weights are streamed cannot be read; the message names it. Nothing has changed, as above.</exception>
    /// <exception cref="InvalidDataException">The file of a streamed embedding is shorter by now. Nothing has changed, as above.</exception>
    public void Forward(ReadOnlySpan<ShardStep> steps, ComputeTeam team)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(team);
        if (_encoder is not null)
        {
            _encoder.InputObserver = InputObserver;
            _encoder.Forward(steps, team);
            return;
        }

        var (rows, logitRows) = BatchRules.Check(steps, Shape, Range);
        try
        {
            _stream?.Rewind();
            Begin(steps, rows, logitRows, team);
            for (var layer = 0; layer < _layers.Length; layer++)
            {
                _stream?.Await(Range.FirstLayer + layer + 1);
                Attend(layer, rows, team);
                FeedForward(layer, rows, team);
                _stream?.Done(Range.FirstLayer + layer + 1);
            }

            CheckFinite(_state.Hidden, rows, Shape.HiddenSize, "result");
            if (logitRows > 0)
            {
                Project(steps, logitRows, team);
            }

            Finish(steps, _state.Hidden, Shape.HiddenSize);
        }
        finally
        {
            _attention.End();
            _stream?.Rewind();
        }
    }

    /// <summary>Releases the weights; the shard cannot be used any more.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _encoder?.Clear();
        Array.Clear(_layers);
        for (var unit = Range.First; unit < Range.End; unit++)
        {
            if (_stream?.Has(unit) != true && !(unit == 0 && _embedding is FileEmbedding))
            {
                _source.Unload(unit);
            }
        }

        _stream?.Dispose();
        (_embedding as FileEmbedding)?.Dispose();
    }

    private static IEnumerable<int> Layers(LayerRange range, ModelShape shape) => Enumerable.Range(range.FirstLayer, range.EndLayer(shape.Layers) - range.FirstLayer);

    private static TransformerShard Stream(FactoredModel source, StreamPlan plan)
    {
        var (range, shape) = (plan.Range, source.Shape);
        var embedding = range.HasEmbedding ? source.OpenEmbedding() : null;
        var stream = plan.Streamed.IsEmpty ? null : source.OpenStream(plan.Streamed);
        try
        {
            var layers = Layers(range, shape)
                .Select(layer => WeightRules.Check(stream?.Has(layer + 1) == true ? source.LoadLayer(layer, stream) : source.LoadLayer(layer), shape, layer))
                .ToArray();
            var last = shape.Layers + 1;
            var head = range.HasHead(shape.Layers) ? WeightRules.Check(stream?.Has(last) == true ? source.LoadHead(stream) : source.LoadHead(), shape) : null;
            var shard = new TransformerShard(source, range, embedding is null ? null : WeightRules.Check(embedding, shape), layers, head, stream) { StreamedBytes = plan.StreamedBytes };
            stream?.Start();
            return shard;
        }
        catch
        {
            stream?.Dispose();
            embedding?.Dispose();
            throw;
        }
    }

    private static long BytesOf(LayerWeights layer) =>
        BytesOf(layer.InputNorm) + BytesOf(layer.PostAttentionNorm) + BytesOf(layer.QueryNorm) + BytesOf(layer.KeyNorm)
        + BytesOf(layer.Query) + BytesOf(layer.Key) + BytesOf(layer.Value) + BytesOf(layer.Output)
        + BytesOf(layer.Gate) + BytesOf(layer.Up) + BytesOf(layer.Down);

    private static long BytesOf(LinearLayer matrix) => matrix.WeightBytes;

    private static long BytesOf(float[]? gain) => (gain?.LongLength ?? 0) * sizeof(float);

    /// <summary>Lays the steps out as rows, one after the other, with the residual stream of each: looked up, or as it came in.</summary>
    private void Begin(ReadOnlySpan<ShardStep> steps, int rows, int logitRows, ComputeTeam team)
    {
        _state.Reserve(rows, logitRows, WantingLogits(steps) > 1 ? logitRows : 0);
        _attention.Begin(steps, team.Threads);
        var (row, width, half) = (0, Shape.HiddenSize, Shape.HeadSize / 2);
        for (var i = 0; i < steps.Length; i++)
        {
            var step = steps[i];
            step.Cache.Reserve(step.Count);
            if (_embedding is null)
            {
                step.Hidden.Span.CopyTo(_state.Hidden.AsSpan(row * width));
            }

            for (var offset = 0; offset < step.Count; offset++, row++)
            {
                (_state.StepOf[row], _state.PositionOf[row]) = (i, step.Cache.Length + offset);
                _embedding?.Lookup(step.Tokens.Span[offset], _state.Hidden.AsSpan(row * width, width));
                if (_layers.Length > 0)
                {
                    _angles.Fill(step.Cache.Length + offset, _state.Cosines.AsSpan(row * half, half), _state.Sines.AsSpan(row * half, half));
                }
            }
        }
    }

    /// <summary>hidden += Output · attention(rotate(Query · n), rotate(Key · n), Value · n) with n = norm(hidden).</summary>
    private void Attend(int layer, int rows, ComputeTeam team)
    {
        var weights = _layers[layer];
        _rows.Norm(_state.Hidden, weights.InputNorm, _state.Normed, rows, team);
        CheckFinite(_state.Normed, rows, Shape.HiddenSize, "normed input", layer);

        var normed = Input(layer, InputSite.Attention, _state.Normed, rows, Shape.HiddenSize); // [rows, hidden]
        LinearLayers.Apply(normed, team, weights.Query, _state.Query, weights.Key, _state.Key, weights.Value, _state.Value); // [rows, heads or key/value heads * head size]

        _attention.Layer = layer;
        _rows.RotateAndStore(weights, rows, team);
        CheckFinite(_state.Key, rows, Shape.KeyValueHeads * Shape.HeadSize, "key", layer);
        CheckFinite(_state.Value, rows, Shape.KeyValueHeads * Shape.HeadSize, "value", layer);
        AttendRows(rows, team); // [rows, heads * head size]
        CheckFinite(_state.Attended, rows, Shape.Heads * Shape.HeadSize, "attention", layer);

        var attended = Input(layer, InputSite.Output, _state.Attended, rows, Shape.Heads * Shape.HeadSize); // [rows, heads * head size]
        Apply(weights.Output, attended, _state.Normed, team); // [rows, hidden]
        _rows.Add(_state.Hidden, _state.Normed, rows, team);
    }

    /// <summary>hidden += Down · (SiLU(Gate · n) * (Up · n)) with n = norm(hidden).</summary>
    private void FeedForward(int layer, int rows, ComputeTeam team)
    {
        var weights = _layers[layer];
        _rows.Norm(_state.Hidden, weights.PostAttentionNorm, _state.Normed, rows, team);
        CheckFinite(_state.Normed, rows, Shape.HiddenSize, "normed attention", layer);

        var normed = Input(layer, InputSite.FeedForward, _state.Normed, rows, Shape.HiddenSize); // [rows, hidden]
        LinearLayers.Apply(normed, team, weights.Gate, _state.Gate, weights.Up, _state.Up); // [rows, intermediate] each
        _rows.SwiGlu(rows, team);
        CheckFinite(_state.Gate, rows, Shape.IntermediateSize, "feed-forward block", layer);

        var product = Input(layer, InputSite.Down, _state.Gate, rows, Shape.IntermediateSize); // [rows, intermediate]
        Apply(weights.Down, product, _state.Normed, team); // [rows, hidden]
        _rows.Add(_state.Hidden, _state.Normed, rows, team);
    }

    /// <summary>logits = Projection · norm(hidden), for the last rows of each step as it asks for them.</summary>
    private void Project(ReadOnlySpan<ShardStep> steps, int logitRows, ComputeTeam team)
    {
        _stream?.Await(Shape.Layers + 1);
        var (width, vocabulary) = (Shape.HiddenSize, Shape.VocabularySize);
        var (row, target, only) = (0, 0, -1);
        for (var i = 0; i < steps.Length; i++)
        {
            row += steps[i].Count;
            only = steps[i].LogitRows > 0 ? i : only;
            _state.Hidden.AsSpan((row - steps[i].LogitRows) * width, steps[i].LogitRows * width).CopyTo(_state.HeadInput.AsSpan(target * width));
            target += steps[i].LogitRows;
        }

        for (var i = 0; i < logitRows; i++)
        {
            var input = _state.HeadInput.AsSpan(i * width, width);
            FloatKernels.Best.RmsNorm(input, _head!.Norm, Shape.NormEpsilon, input);
        }

        var normed = Input(_layers.Length, InputSite.Head, _state.HeadInput, logitRows, width); // [logit rows, hidden]
        var buffered = WantingLogits(steps) > 1;
        var logits = buffered ? _state.Logits.AsSpan(0, logitRows * vocabulary) : steps[only].Logits.Span[..(logitRows * vocabulary)];
        _head!.Projection.Apply(normed, logits, team); // [logit rows, vocabulary]

        target = 0;
        for (var i = 0; i < steps.Length; i++)
        {
            var own = logits.Slice(target, steps[i].LogitRows * vocabulary);
            if (!FloatKernels.Best.IsFinite(own))
            {
                throw new NonFiniteStepException(i, $"The logits of step {i} have a value that is not finite.");
            }

            if (buffered)
            {
                own.CopyTo(steps[i].Logits.Span);
            }

            target += own.Length;
        }
    }

    /// <summary>Hands the residual stream out and lets the caches grow: nothing can fail any more.</summary>
    internal static void Finish(ReadOnlySpan<ShardStep> steps, float[] hidden, int width)
    {
        var start = 0;
        foreach (var step in steps)
        {
            var length = step.Count * width;
            if (!step.Hidden.IsEmpty)
            {
                hidden.AsSpan(start, length).CopyTo(step.Hidden.Span);
            }

            start += length;
            step.Cache.Length += step.Count;
        }
    }

    /// <summary>What the matrices of one place multiply, after the observer has seen it.</summary>
    private LinearInput Input(int layer, InputSite site, float[] x, int rows, int width)
    {
        var values = x.AsSpan(0, rows * width);
        InputObserver?.Observe(Range.FirstLayer + layer + 1, site, values, rows);
        return new LinearInput(values, rows, _state.Workspace);
    }

    private static void Apply(LinearLayer matrix, LinearInput input, float[] y, ComputeTeam team) =>
        matrix.Apply(input, y.AsSpan(0, input.Rows * matrix.Outputs), team);

    private void AttendRows(int rows, ComputeTeam team)
    {
        var work = 0L;
        for (var row = 0; row < rows; row++)
        {
            work += _state.PositionOf[row] + 1;
        }

        if (work * Shape.Heads * Shape.HeadSize < SmallAttention)
        {
            _attention.Run(0, _attention.Count);
        }
        else
        {
            team.Run(_attention, _attention.Count);
        }
    }

    private static int WantingLogits(ReadOnlySpan<ShardStep> steps)
    {
        var wanting = 0;
        foreach (var step in steps)
        {
            wanting += step.LogitRows > 0 ? 1 : 0;
        }

        return wanting;
    }

    /// <summary>What is not finite must not reach a quantised matrix, which would make numbers of it.</summary>
    private void CheckFinite(float[] values, int rows, int width, string what, int? layer = null)
    {
        if (FloatKernels.Best.IsFinite(values.AsSpan(0, rows * width)))
        {
            return;
        }

        var row = 0;
        while (FloatKernels.Best.IsFinite(values.AsSpan(row * width, width)))
        {
            row++;
        }

        var place = layer is { } index ? $" in layer {Range.FirstLayer + index}" : "";
        throw new NonFiniteStepException(_state.StepOf[row], $"The {what} of step {_state.StepOf[row]}{place} has a value that is not finite, at position {_state.PositionOf[row]}.");
    }
}
