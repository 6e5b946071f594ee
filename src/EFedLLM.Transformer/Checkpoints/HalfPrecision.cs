using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Widens the two 16-bit float formats to float32, exactly, several values at a time.</summary>
internal static unsafe class HalfPrecision
{
    /// <summary>2^112: moves a binary16 exponent (bias 15) to where binary32 (bias 127) has it.</summary>
    private const uint ExponentShift = (112 + 127) << 23;

    public static void WidenBFloat16(ushort* source, Span<float> destination)
    {
        var i = 0;
        for (; i <= destination.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            var (lower, upper) = Vector256.Widen(Vector256.Load(source + i));
            (lower << 16).AsSingle().CopyTo(destination[i..]);
            (upper << 16).AsSingle().CopyTo(destination[(i + Vector256<uint>.Count)..]);
        }

        for (; i < destination.Length; i++)
        {
            destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
        }
    }

    public static void WidenFloat16(ushort* source, Span<float> destination)
    {
        var i = 0;
        for (; i <= destination.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            var (lower, upper) = Vector256.Widen(Vector256.Load(source + i));
            WidenFloat16(lower).CopyTo(destination[i..]);
            WidenFloat16(upper).CopyTo(destination[(i + Vector256<uint>.Count)..]);
        }

        for (; i < destination.Length; i++)
        {
            destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
        }
    }

    private static Vector256<float> WidenFloat16(Vector256<uint> half)
    {
        // The product with a power of two normalises what was subnormal as a binary16; it is exact.
        var sign = (half & Vector256.Create(0x8000u)) << 16;
        var magnitude = (half & Vector256.Create(0x7FFFu)) << 13;
        var value = (magnitude.AsSingle() * Vector256.Create(ExponentShift).AsSingle()).AsUInt32();
        var special = Vector256.GreaterThanOrEqual(half & Vector256.Create(0x7FFFu), Vector256.Create(0x7C00u));
        return (sign | Vector256.ConditionalSelect(special, magnitude | Vector256.Create(0x7F800000u), value)).AsSingle();
    }
}
