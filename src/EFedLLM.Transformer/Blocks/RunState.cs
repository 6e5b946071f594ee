using System.Numerics;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>The buffers of a forward pass: a row is one position of one step. They grow to the largest batch seen and stay.</summary>
internal sealed class RunState
{
    private readonly ModelShape _shape;
    private readonly bool _hasLayers;

    public RunState(ModelShape shape, bool hasLayers) => (_shape, _hasLayers) = (shape, hasLayers);

    /// <summary>[rows, hidden]: the residual stream.</summary>
    public float[] Hidden { get; private set; } = [];

    /// <summary>[rows, hidden]: a block's input behind its norm; and a block's output before it is added.</summary>
    public float[] Normed { get; private set; } = [];

    /// <summary>[rows, heads, head size].</summary>
    public float[] Query { get; private set; } = [];

    /// <summary>[rows, key/value heads, head size].</summary>
    public float[] Key { get; private set; } = [];

    /// <summary>[rows, key/value heads, head size].</summary>
    public float[] Value { get; private set; } = [];

    /// <summary>[rows, heads, head size]: the values as attention weighs them.</summary>
    public float[] Attended { get; private set; } = [];

    /// <summary>[rows, intermediate].</summary>
    public float[] Gate { get; private set; } = [];

    /// <summary>[rows, intermediate].</summary>
    public float[] Up { get; private set; } = [];

    /// <summary>[rows, head size / 2]: cosines of the rotary angles.</summary>
    public float[] Cosines { get; private set; } = [];

    /// <summary>[rows, head size / 2]: sines of the rotary angles.</summary>
    public float[] Sines { get; private set; } = [];

    /// <summary>[rows]: which step of the batch a row belongs to.</summary>
    public int[] StepOf { get; private set; } = [];

    /// <summary>[rows]: the position of a row in its session.</summary>
    public int[] PositionOf { get; private set; } = [];

    /// <summary>[logit rows, hidden]: the rows that the head projects, behind its norm.</summary>
    public float[] HeadInput { get; private set; } = [];

    /// <summary>[logit rows, vocabulary]: unused where a single step's logits go straight to their place.</summary>
    public float[] Logits { get; private set; } = [];

    /// <summary>Scratch memory of the linear layers.</summary>
    public LinearWorkspace Workspace { get; } = new();

    /// <summary>Makes room for a batch.</summary>
    /// <exception cref="ArgumentException">A buffer would be larger than an array can be.</exception>
    public void Reserve(int rows, int logitRows, int bufferedLogitRows)
    {
        if (rows > StepOf.Length)
        {
            // Rounded up, so that batches which grow by a row do not allocate each time.
            var room = (int)BitOperations.RoundUpToPowerOf2((uint)rows);
            var (heads, keyValueHeads) = _hasLayers ? (_shape.Heads, _shape.KeyValueHeads) : (0, 0);
            var (intermediate, half) = _hasLayers ? (_shape.IntermediateSize, _shape.HeadSize / 2) : (0, 0);
            Hidden = Allocate(room, _shape.HiddenSize);
            Normed = Allocate(room, _shape.HiddenSize);
            Query = Allocate(room, heads * _shape.HeadSize);
            Key = Allocate(room, keyValueHeads * _shape.HeadSize);
            Value = Allocate(room, keyValueHeads * _shape.HeadSize);
            Attended = Allocate(room, heads * _shape.HeadSize);
            Gate = Allocate(room, intermediate);
            Up = Allocate(room, intermediate);
            Cosines = Allocate(room, half);
            Sines = Allocate(room, half);
            PositionOf = new int[room];
            StepOf = new int[room];
        }

        if (logitRows * (long)_shape.HiddenSize > HeadInput.Length)
        {
            HeadInput = Allocate(logitRows, _shape.HiddenSize);
        }

        if (bufferedLogitRows * (long)_shape.VocabularySize > Logits.Length)
        {
            Logits = Allocate(bufferedLogitRows, _shape.VocabularySize);
        }
    }

    private static float[] Allocate(int rows, int width) => (long)rows * width <= Array.MaxLength
        ? new float[rows * width]
        : throw new ArgumentException($"A batch of {rows} rows of {width} values is more than an array holds: cut it into smaller ones.", nameof(rows));
}
