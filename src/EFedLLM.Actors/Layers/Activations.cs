using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace EFedLLM.Actors.Layers;

/// <summary>What may cross a hop.</summary>
internal static class Activations
{
    private const uint Exponent = 0x7F800000;

    /// <summary>Whether every value is a number.</summary>
    public static bool AreFinite(ReadOnlySpan<float> values)
    {
        var bits = MemoryMarshal.Cast<float, uint>(values);
        var mask = Vector256.Create(Exponent);
        while (bits.Length >= Vector256<uint>.Count)
        {
            if (Vector256.EqualsAny(Vector256.Create(bits) & mask, mask))
            {
                return false;
            }

            bits = bits[Vector256<uint>.Count..];
        }

        foreach (var value in bits)
        {
            if ((value & Exponent) == Exponent)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>How many rows of <paramref name="width"/> values travel in one message of at most <paramref name="bytes"/>: at least one.</summary>
    public static int RowsPerMessage(int width, int bytes) => Math.Max(1, bytes / (width * sizeof(float)));
}
