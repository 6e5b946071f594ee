using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>
/// The forward pass of an encoder's range (BERT: Devlin et al., 2018). A step is a whole sequence: nothing of it is kept, and
/// its bits depend on no other step. What <see cref="TransformerShard"/> is to a decoder, which is where callers come from.
/// </summary>
internal sealed class EncoderPass
{
    private readonly ModelShape _shape;
    private readonly LayerRange _range;
    private readonly EncoderEmbeddingWeights? _embedding;
    private readonly EncoderLayerWeights[] _layers;
    private readonly EncoderHeadWeights? _head;
    private readonly EncoderState _state;
    private readonly EncoderWork _rows;
    private readonly EncoderAttention _attention;
    private readonly float[] _addend; // [hidden]

    private EncoderPass(ModelShape shape, LayerRange range, EncoderEmbeddingWeights? embedding, EncoderLayerWeights[] layers, EncoderHeadWeights? head)
    {
        (_shape, _range, _embedding, _layers, _head) = (shape, range, embedding, layers, head);
        _state = new EncoderState(shape);
        _rows = new EncoderWork(shape, _state);
        _attention = new EncoderAttention(shape, _state);
        _addend = new float[shape.HiddenSize];
        IEmbedding[] tables = embedding is null ? [] : [embedding.Words, embedding.Positions, embedding.Types];
        var computed = layers.Sum(BytesOf) + BytesOf(head?.Pooler) + BytesOf(head?.Classifier) + BytesOf(embedding?.Norm);
        WeightBytes = computed + tables.Sum(table => table.Rows * table.BytesPerRow);
        WeightBytesPerToken = computed + tables.Sum(table => table.BytesPerRow);
    }

    /// <summary>Bytes of weights held.</summary>
    public long WeightBytes { get; }

    /// <summary>Bytes of weights read to compute a sequence of one token.</summary>
    public long WeightBytesPerToken { get; }

    /// <summary>Sees the inputs of all matrices, or null; see <see cref="TransformerShard.InputObserver"/>.</summary>
    public IInputObserver? InputObserver { get; set; }

    /// <summary>Loads a range.</summary>
    /// <exception cref="NotSupportedException">The source has no encoders.</exception>
    /// <exception cref="InvalidDataException">The source's weights are damaged or do not fit its shape.</exception>
    public static EncoderPass Load(IModelSource source, LayerRange range)
    {
        var shape = source.Shape;
        var weights = source as IEncoderSource ?? throw new NotSupportedException($"{shape.Architecture} is an encoder, which this kind of model file does not hold.");
        return new EncoderPass(
            shape,
            range,
            range.HasEmbedding ? EncoderRules.Check(weights.LoadEncoderEmbedding(), shape) : null,
            [.. Enumerable.Range(range.FirstLayer, range.EndLayer(shape.Layers) - range.FirstLayer).Select(layer => EncoderRules.Check(weights.LoadEncoderLayer(layer), shape, layer))],
            range.HasHead(shape.Layers) ? EncoderRules.Check(weights.LoadEncoderHead(), shape) : null);
    }

    /// <summary>Lets go of the weights.</summary>
    public void Clear() => Array.Clear(_layers);

    /// <summary>Computes all steps as one batch; see <see cref="TransformerShard.Forward"/>.</summary>
    public void Forward(ReadOnlySpan<ShardStep> steps, ComputeTeam team)
    {
        var (rows, _) = BatchRules.Check(steps, _shape, _range);
        _state.Begin(steps, rows, _layers.Length > 0);
        Begin(steps, rows, team);
        for (var layer = 0; layer < _layers.Length; layer++)
        {
            Attend(layer, rows, team);
            FeedForward(layer, rows, team);
        }

        CheckFinite(_state.Hidden, rows, _shape.HiddenSize, "result");
        if (_head is not null)
        {
            Conclude(steps, team);
        }

        TransformerShard.Finish(steps, _state.Hidden, _shape.HiddenSize);
    }

    private static long BytesOf(EncoderLayerWeights layer) =>
        BytesOf(layer.Query) + BytesOf(layer.Key) + BytesOf(layer.Value) + BytesOf(layer.AttentionOutput)
        + BytesOf(layer.Intermediate) + BytesOf(layer.Output) + BytesOf(layer.AttentionNorm) + BytesOf(layer.OutputNorm);

    private static long BytesOf(LinearLayer? matrix) => matrix?.WeightBytes ?? 0;

    private static long BytesOf(LayerNormWeights? norm) => norm is null ? 0 : (norm.Gain.LongLength + norm.Bias.LongLength) * sizeof(float);

    /// <summary>hidden = norm(word + position + type of each position), or as it came in.</summary>
    private void Begin(ReadOnlySpan<ShardStep> steps, int rows, ComputeTeam team)
    {
        var (row, width) = (0, _shape.HiddenSize);
        foreach (var step in steps)
        {
            if (_embedding is null)
            {
                step.Hidden.Span.CopyTo(_state.Hidden.AsSpan(row * width));
                row += step.Count;
                continue;
            }

            for (var position = 0; position < step.Count; position++, row++)
            {
                var hidden = _state.Hidden.AsSpan(row * width, width);
                _embedding.Words.Lookup(step.Tokens.Span[position], hidden);
                _embedding.Types.Lookup(0, _addend);
                FloatKernels.Best.Add(hidden, _addend);
                _embedding.Positions.Lookup(position, _addend);
                FloatKernels.Best.Add(hidden, _addend);
            }
        }

        if (_embedding is not null)
        {
            _rows.Norm(_embedding.Norm, rows, team);
        }
    }

    /// <summary>hidden = norm(hidden + Output · attention(Query · hidden, Key · hidden, Value · hidden)).</summary>
    private void Attend(int layer, int rows, ComputeTeam team)
    {
        var weights = _layers[layer];
        CheckFinite(_state.Hidden, rows, _shape.HiddenSize, "input", layer);
        var input = Input(layer, InputSite.Attention, _state.Hidden, rows, _shape.HiddenSize); // [rows, hidden]
        LinearLayers.Apply(input, team, weights.Query, _state.Query, weights.Key, _state.Key, weights.Value, _state.Value); // [rows, heads * head size] each
        _attention.Attend(rows, team);
        CheckFinite(_state.Attended, rows, _shape.HiddenSize, "attention", layer);
        Apply(weights.AttentionOutput, Input(layer, InputSite.Output, _state.Attended, rows, _shape.HiddenSize), _state.Added, team); // [rows, hidden]
        _rows.AddAndNorm(weights.AttentionNorm, rows, team);
    }

    /// <summary>hidden = norm(hidden + Output · GELU(Intermediate · hidden)).</summary>
    private void FeedForward(int layer, int rows, ComputeTeam team)
    {
        var weights = _layers[layer];
        CheckFinite(_state.Hidden, rows, _shape.HiddenSize, "normed attention", layer);
        Apply(weights.Intermediate, Input(layer, InputSite.FeedForward, _state.Hidden, rows, _shape.HiddenSize), _state.Inner, team); // [rows, intermediate]
        _rows.Activate(rows, team);
        CheckFinite(_state.Inner, rows, _shape.IntermediateSize, "feed-forward block", layer);
        Apply(weights.Output, Input(layer, InputSite.Down, _state.Inner, rows, _shape.IntermediateSize), _state.Added, team); // [rows, hidden]
        _rows.AddAndNorm(weights.OutputNorm, rows, team);
    }

    /// <summary>Gives each step what it asks for, of its own rows alone.</summary>
    private void Conclude(ReadOnlySpan<ShardStep> steps, ComputeTeam team)
    {
        var (width, classes) = (_shape.HiddenSize, _shape.Encoder!.Classes);
        var (row, classified) = (0, 0);
        _state.ReserveHead(steps.Length, classes);
        for (var i = 0; i < steps.Length; i++)
        {
            var hidden = _state.Hidden.AsSpan(row * width, steps[i].Count * width);
            if (steps[i].Output == SequenceOutput.Mean)
            {
                var mean = steps[i].Logits.Span[..width];
                SequencePooling.Mean(hidden, mean);
                CheckResult(mean, i);
            }
            else if (steps[i].Output == SequenceOutput.Classes)
            {
                hidden[..width].CopyTo(_state.HeadInput.AsSpan(classified++ * width));
            }

            row += steps[i].Count;
        }

        if (classified > 0)
        {
            Classify(steps, classified, team);
        }
    }

    /// <summary>logits = Classifier · tanh(Pooler · first row).</summary>
    private void Classify(ReadOnlySpan<ShardStep> steps, int classified, ComputeTeam team)
    {
        var classes = _shape.Encoder!.Classes;
        Apply(_head!.Pooler!, Input(_layers.Length, InputSite.Head, _state.HeadInput, classified, _shape.HiddenSize), _state.Pooled, team); // [sequences, hidden]
        SequencePooling.Tanh(_state.Pooled.AsSpan(0, classified * _shape.HiddenSize));
        Apply(_head.Classifier!, Input(_layers.Length, InputSite.Classifier, _state.Pooled, classified, _shape.HiddenSize), _state.Logits, team); // [sequences, classes]
        var at = 0;
        for (var i = 0; i < steps.Length; i++)
        {
            if (steps[i].Output == SequenceOutput.Classes)
            {
                var logits = _state.Logits.AsSpan(at++ * classes, classes);
                CheckResult(logits, i);
                logits.CopyTo(steps[i].Logits.Span);
            }
        }
    }

    private LinearInput Input(int layer, InputSite site, float[] x, int rows, int width)
    {
        var values = x.AsSpan(0, rows * width);
        InputObserver?.Observe(_range.FirstLayer + layer + 1, site, values, rows);
        return new LinearInput(values, rows, _state.Workspace);
    }

    private static void Apply(LinearLayer matrix, LinearInput input, float[] y, ComputeTeam team) =>
        matrix.Apply(input, y.AsSpan(0, input.Rows * matrix.Outputs), team);

    private static void CheckResult(ReadOnlySpan<float> values, int step)
    {
        if (!FloatKernels.Best.IsFinite(values))
        {
            throw new NonFiniteStepException(step, $"The result of step {step} has a value that is not finite.");
        }
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

        var place = layer is { } index ? $" in layer {_range.FirstLayer + index}" : "";
        throw new NonFiniteStepException(_state.StepOf[row], $"The {what} of step {_state.StepOf[row]}{place} has a value that is not finite, at position {_state.PositionOf[row]}.");
    }
}
