using System.Collections.Immutable;
using System.Globalization;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Calibration;

/// <summary>
/// The parts of a text that a calibration reads: whole chunks, spread evenly over the text. Each is fed as a start token
/// and the chunk without its last token, as perplexity is measured. Some are held out, to measure the result on.
/// </summary>
/// <param name="StartToken">Fed before each chunk.</param>
/// <param name="Calibration">Chunks to calibrate on, all of one length.</param>
/// <param name="HeldOut">Chunks to measure on, of that length; none where the text has too few.</param>
public sealed record CalibrationTokens(int StartToken, ImmutableArray<ReadOnlyMemory<int>> Calibration, ImmutableArray<ReadOnlyMemory<int>> HeldOut)
{
    /// <summary>One chunk in so many is held out.</summary>
    private const int HeldOutShare = 6;

    private const int MostHeldOut = 16;

    /// <summary>Where little text is read because the model is large, one chunk for so many to calibrate on is held out: a larger share would cost more than it tells.</summary>
    private const int ReadPerHeldOut = 6;

    /// <summary>Tokens of a chunk.</summary>
    public int Length => Calibration[0].Length;

    /// <summary>Tokens to calibrate on.</summary>
    public long Count => (long)Calibration.Length * Length;

    /// <summary>Takes the chunks of a text.</summary>
    /// <param name="ids">The text, tokenized without a begin token.</param>
    /// <param name="startToken">Fed before each chunk.</param>
    /// <param name="shape">The model's shape, which says how much is needed.</param>
    /// <exception cref="InvalidDataException">The text is too short; the message says how much is needed.</exception>
    public static CalibrationTokens Take(int[] ids, int startToken, ModelShape shape)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var length = CalibrationNeeds.SequenceLength(shape);
        var needed = (CalibrationNeeds.Least(shape) + length - 1) / length;
        var there = ids.Length / length;
        var heldOut = Math.Min(there / HeldOutShare, MostHeldOut);
        if (there - heldOut < needed)
        {
            // Adding a chunk to hold out makes one more necessary, so the number is looked for, not computed.
            var least = needed;
            while (least - Math.Min(least / HeldOutShare, MostHeldOut) < needed)
            {
                least++;
            }

            throw new InvalidDataException(string.Create(
                CultureInfo.InvariantCulture,
                $"The calibration text has {ids.Length} tokens, but layers of {CalibrationNeeds.Least(shape)} inputs need at least {least * length}. Name a longer text, or leave --calibrate out to use the built-in one."));
        }

        var wanted = Math.Max(1, CalibrationNeeds.Wanted(shape) / length);
        heldOut = Math.Min(heldOut, Math.Max(1, wanted / ReadPerHeldOut));
        var taken = Math.Min(there, wanted + heldOut);
        var (calibration, measured) = (ImmutableArray.CreateBuilder<ReadOnlyMemory<int>>(), ImmutableArray.CreateBuilder<ReadOnlyMemory<int>>());
        for (var i = 0L; i < taken; i++)
        {
            // The held-out ones are spread over the text like the others.
            var isHeldOut = (i + 1) * heldOut / taken > i * heldOut / taken;
            (isHeldOut ? measured : calibration).Add(ids.AsMemory((int)(i * there / taken) * length, length));
        }

        return new CalibrationTokens(startToken, calibration.ToImmutable(), measured.ToImmutable());
    }

    /// <summary>
    /// The same with chunks of other texts between: one behind every two, the texts taking turns, each beginning again
    /// where it ends. What a single kind of text never shows is then not thought free, and a model keeps more of what it
    /// can on other texts. What is held out stays of the first text.
    /// </summary>
    /// <param name="texts">The other texts, tokenized likewise; what is shorter than a chunk is left out.</param>
    public CalibrationTokens Mixed(params IReadOnlyList<int[]> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var others = texts.Where(text => text.Length >= Length).ToArray();
        var mixed = ImmutableArray.CreateBuilder<ReadOnlyMemory<int>>(Calibration.Length * 3 / 2);
        for (var i = 0; i < Calibration.Length; i++)
        {
            mixed.Add(Calibration[i]);
            if (i % 2 == 1 && others.Length > 0)
            {
                var other = others[i / 2 % others.Length];
                mixed.Add(other.AsMemory(i / 2 / others.Length % (other.Length / Length) * Length, Length));
            }
        }

        return this with { Calibration = mixed.ToImmutable() };
    }

    /// <summary>What is fed for a chunk.</summary>
    public int[] InputOf(ReadOnlyMemory<int> chunk) => [StartToken, .. chunk.Span[..^1]];
}
