using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Trust;

/// <summary>
/// The work of computing positions through a range, in floating-point operations, from shapes alone: nobody claims it. A multiplication
/// with its addition counts as two. What a norm, an activation function or a softmax takes is left out: it is below one in a hundred.
/// </summary>
public static class UnitWork
{
    // A unit of a petabyte is none: sums over claims of others must stay finite.
    private const double MostUnitBytes = 1L << 50;

    /// <summary>Of the function that a model is, however its weights are kept: a compressed model earns for the same answer the same.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="range">The units computed.</param>
    /// <param name="position">The first position, from 0: the later one is, the more it attends to.</param>
    /// <param name="rows">Number of positions; in an encoder those of the whole sequence.</param>
    /// <param name="drawn">At the head: after how many of them it gave something (a token; an encoder's result). The others end before it.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such work.</exception>
    public static double Flop(ModelShape shape, LayerRange range, int position, int rows, int drawn)
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (!range.IsValid(shape.Layers))
        {
            throw new ArgumentOutOfRangeException(nameof(range), range, $"A model of {shape.Layers} layers has no such units.");
        }

        ArgumentOutOfRangeException.ThrowIfNegative(position);
        CheckRows(rows, drawn);
        double hidden = shape.HiddenSize;
        var queries = (double)shape.Heads * shape.HeadSize;
        var keys = (double)shape.KeyValueHeads * shape.HeadSize;
        var forward = hidden * shape.IntermediateSize * (shape.Encoder is null ? 3 : 2);
        var weights = (hidden * ((2 * queries) + (2 * keys))) + forward;
        var layer = (2 * weights * rows) + (4 * queries * Attended(shape, position, rows));
        var head = shape.Encoder is { } encoder ? hidden * (hidden + encoder.Classes) : hidden * shape.VocabularySize;
        return ((range.EndLayer(shape.Layers) - range.FirstLayer) * layer)
            + (range.HasEmbedding ? hidden * rows : 0)
            + (range.HasHead(shape.Layers) ? 2 * head * drawn : 0);
    }

    /// <summary>
    /// The same from what a gateway publishes of a model, for those who do not know its shape: two operations for each weight that a position
    /// reads, as it is kept. What attention adds with the position is not to be seen there and left out.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="range">The units computed.</param>
    /// <param name="rows">Number of positions.</param>
    /// <param name="drawn">At the head: after how many of them it gave something.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such work.</exception>
    public static double Flop(ServedModel model, LayerRange range, int rows, int drawn)
    {
        ArgumentNullException.ThrowIfNull(model);
        var units = model.UnitReadBytes.Length;
        if (range.First < 0 || range.First >= range.End || range.End > units)
        {
            throw new ArgumentOutOfRangeException(nameof(range), range, $"A model of {units} units has no such ones.");
        }

        CheckRows(rows, drawn);
        var bits = double.IsFinite(model.BitsPerWeight) ? Math.Clamp(model.BitsPerWeight, 1, 64) : 64;
        var flop = 0.0;
        for (var unit = range.First; unit < range.End; unit++)
        {
            flop += 2 * 8 * Math.Clamp(model.UnitReadBytes[unit], 0, MostUnitBytes) / bits * (unit == units - 1 ? drawn : rows);
        }

        return flop;
    }

    private static void CheckRows(int rows, int drawn)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(drawn);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(drawn, rows);
    }

    /// <summary>How many positions all rows together attend to.</summary>
    private static double Attended(ModelShape shape, int position, int rows)
    {
        if (shape.Encoder is not null)
        {
            return (double)rows * rows;
        }

        // Row i attends to position + i + 1, until a window is full.
        var growing = shape.SlidingWindow is { } window ? Math.Clamp(window - position, 0, rows) : rows;
        return ((double)growing * position) + (growing * (growing + 1.0) / 2) + ((double)(rows - growing) * (shape.SlidingWindow ?? 0));
    }
}
