using System.Numerics;
using System.Runtime.InteropServices;

namespace EFedLLM.Actors.Layers;

/// <summary>How activations travel, and which ones are looked at no further.</summary>
internal static class Activations
{
    /// <summary>
    /// The largest magnitude that is taken from another hop: the sum of squares of a row stays within float32 however wide it is. What models
    /// give is smaller by many orders.
    /// </summary>
    public const float MostMagnitude = 1e15f;

    /// <summary>How many rows of <paramref name="width"/> values travel in one message of at most <paramref name="bytes"/>: at least one.</summary>
    public static int RowsPerMessage(int width, int bytes) => Math.Max(1, bytes / (width * sizeof(float)));

    /// <summary>The first row with a value that is not finite or above <see cref="MostMagnitude"/>; -1 where there is none.</summary>
    /// <param name="hidden">[rows, width].</param>
    /// <param name="width">Values of a row, at least 1.</param>
    public static int FirstUnsound(ReadOnlySpan<float> hidden, int width)
    {
        if (IsSound(hidden))
        {
            return -1;
        }

        var row = 0;
        while (IsSound(hidden.Slice(row * width, width)))
        {
            row++;
        }

        return row;
    }

    /// <summary>Whether all are at most so large: what is no number is not.</summary>
    private static bool IsSound(ReadOnlySpan<float> hidden)
    {
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(hidden);
        var most = new Vector<float>(MostMagnitude);
        foreach (var vector in vectors)
        {
            if (!Vector.LessThanOrEqualAll(Vector.Abs(vector), most))
            {
                return false;
            }
        }

        foreach (var value in hidden[(vectors.Length * Vector<float>.Count)..])
        {
            if (!(Math.Abs(value) <= MostMagnitude))
            {
                return false;
            }
        }

        return true;
    }
}
