using System.Numerics;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Blocks;

/// <summary>The buffers of an encoder's forward pass: a row is one position of one sequence. They grow to the largest batch seen and stay.</summary>
internal sealed class EncoderState(ModelShape shape)
{
    /// <summary>[rows, hidden]: the residual stream.</summary>
    public float[] Hidden { get; private set; } = [];

    /// <summary>[rows, hidden]: a block's output before it is added.</summary>
    public float[] Added { get; private set; } = [];

    /// <summary>[rows, heads, head size].</summary>
    public float[] Query { get; private set; } = [];

    /// <summary>[rows, heads, head size].</summary>
    public float[] Key { get; private set; } = [];

    /// <summary>[rows, heads, head size].</summary>
    public float[] Value { get; private set; } = [];

    /// <summary>[rows, heads, head size]: the values as attention weighs them.</summary>
    public float[] Attended { get; private set; } = [];

    /// <summary>[rows, intermediate].</summary>
    public float[] Inner { get; private set; } = [];

    /// <summary>[pages, heads, head size, positions of a page]: keys, laid out so that neighbouring positions are scored at once.</summary>
    public float[] KeyPages { get; private set; } = [];

    /// <summary>[pages, heads, positions of a page, head size].</summary>
    public float[] ValuePages { get; private set; } = [];

    /// <summary>[rows]: which step of the batch a row belongs to.</summary>
    public int[] StepOf { get; private set; } = [];

    /// <summary>[rows]: the position of a row in its sequence.</summary>
    public int[] PositionOf { get; private set; } = [];

    /// <summary>[steps]: positions of each sequence.</summary>
    public int[] CountOf { get; private set; } = [];

    /// <summary>[steps]: the first page of each sequence.</summary>
    public int[] FirstPageOf { get; private set; } = [];

    /// <summary>[classified sequences, hidden]: first the input of the pooler, then of the classifier.</summary>
    public float[] HeadInput { get; private set; } = [];

    /// <summary>[classified sequences, hidden].</summary>
    public float[] Pooled { get; private set; } = [];

    /// <summary>[classified sequences, classes].</summary>
    public float[] Logits { get; private set; } = [];

    /// <summary>Scratch memory of the linear layers.</summary>
    public LinearWorkspace Workspace { get; } = new();

    /// <summary>Values of a page, of keys or of values.</summary>
    private int PageValues => shape.HiddenSize * FloatKernels.PagePositions;

    /// <summary>Makes room for a batch and says which row is what.</summary>
    /// <exception cref="ArgumentException">A buffer would be larger than an array can be.</exception>
    public void Begin(ReadOnlySpan<ShardStep> steps, int rows, bool hasLayers)
    {
        Reserve(rows, hasLayers);
        if (CountOf.Length < steps.Length)
        {
            (CountOf, FirstPageOf) = (new int[steps.Length], new int[steps.Length]);
        }

        var (row, page) = (0, 0);
        for (var step = 0; step < steps.Length; step++)
        {
            var count = steps[step].Count;
            (CountOf[step], FirstPageOf[step]) = (count, page);
            page += (count + FloatKernels.PagePositions - 1) / FloatKernels.PagePositions;
            for (var position = 0; position < count; position++, row++)
            {
                (StepOf[row], PositionOf[row]) = (step, position);
            }
        }

        if (hasLayers && (long)page * PageValues > KeyPages.Length)
        {
            (KeyPages, ValuePages) = (Allocate(page, PageValues), Allocate(page, PageValues));
        }
    }

    /// <summary>Makes room for the head's work on so many sequences.</summary>
    public void ReserveHead(int sequences, int classes)
    {
        if ((long)sequences * shape.HiddenSize > HeadInput.Length)
        {
            (HeadInput, Pooled, Logits) = (Allocate(sequences, shape.HiddenSize), Allocate(sequences, shape.HiddenSize), Allocate(sequences, classes));
        }
    }

    private static float[] Allocate(int rows, int width) => (long)rows * width <= Array.MaxLength
        ? new float[rows * width]
        : throw new ArgumentException($"A batch of {rows} rows of {width} values is more than an array holds: cut it into smaller ones.", nameof(rows));

    private void Reserve(int rows, bool hasLayers)
    {
        if (rows <= StepOf.Length)
        {
            return;
        }

        // Rounded up, so that batches which grow by a row do not allocate each time.
        var room = (int)BitOperations.RoundUpToPowerOf2((uint)rows);
        var hidden = hasLayers ? shape.HiddenSize : 0;
        Hidden = Allocate(room, shape.HiddenSize);
        Added = Allocate(room, hidden);
        Query = Allocate(room, hidden);
        Key = Allocate(room, hidden);
        Value = Allocate(room, hidden);
        Attended = Allocate(room, hidden);
        Inner = Allocate(room, hasLayers ? shape.IntermediateSize : 0);
        (StepOf, PositionOf) = (new int[room], new int[room]);
    }
}
