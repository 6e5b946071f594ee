using EFedLLM.Transformer.Checkpoints.Gguf;

namespace EFedLLM.Transformer.Tests.Gguf;

/// <summary>
/// The value at one place of a block, worked out by itself from the description of ggml's block layouts (the structures of
/// ggml-common.h): slow and plain, one formula for each type.
/// </summary>
internal static class PlainBlocks
{
    public static int Elements(GgufType type) => type switch
    {
        GgufType.F32 or GgufType.F16 or GgufType.BF16 => 1,
        GgufType.Q4_K or GgufType.Q5_K or GgufType.Q6_K => 256,
        _ => 32,
    };

    public static int Bytes(GgufType type) => type switch
    {
        GgufType.F32 => 4,
        GgufType.F16 or GgufType.BF16 => 2,
        GgufType.Q4_0 => 2 + 16,
        GgufType.Q4_1 => 2 + 2 + 16,
        GgufType.Q5_0 => 2 + 4 + 16,
        GgufType.Q5_1 => 2 + 2 + 4 + 16,
        GgufType.Q8_0 => 2 + 32,
        GgufType.Q4_K => 2 + 2 + 12 + 128,
        GgufType.Q5_K => 2 + 2 + 12 + 32 + 128,
        GgufType.Q6_K => 128 + 64 + 16 + 2,
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    /// <summary>All values of some blocks.</summary>
    public static float[] Decode(GgufType type, byte[] data)
    {
        var (elements, bytes) = (Elements(type), Bytes(type));
        return [.. Enumerable.Range(0, data.Length / bytes * elements).Select(i => Value(type, data[(i / elements * bytes)..(i / elements * bytes + bytes)], i % elements))];
    }

    private static float Value(GgufType type, byte[] block, int i) => type switch
    {
        GgufType.F32 => BitConverter.ToSingle(block),
        GgufType.F16 => Half(block, 0),
        GgufType.BF16 => BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(block) << 16),
        GgufType.Q8_0 => Half(block, 0) * (sbyte)block[2 + i],
        GgufType.Q4_0 => Half(block, 0) * (Nibble(block, 2, i) - 8),
        GgufType.Q4_1 => Half(block, 0) * Nibble(block, 4, i) + Half(block, 2),
        GgufType.Q5_0 => Half(block, 0) * (Nibble(block, 6, i) + 16 * Bit(block, 2, i) - 16),
        GgufType.Q5_1 => Half(block, 0) * (Nibble(block, 8, i) + 16 * Bit(block, 4, i)) + Half(block, 2),
        GgufType.Q4_K => WithMinimum(block, i, Nibble64(block, 16, i)),
        GgufType.Q5_K => WithMinimum(block, i, Nibble64(block, 48, i) + 16 * Bit(block, 16, i % 32 * 8 + i / 32)),
        GgufType.Q6_K => Half(block, 208) * (sbyte)block[192 + i / 16] * (Six(block, i) - 32),
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    private static float Half(byte[] block, int at) => (float)BitConverter.ToHalf(block, at);

    private static int Bit(byte[] block, int at, int index) => block[at + index / 8] >> index % 8 & 1;

    /// <summary>Of 16 bytes, the low half of byte i, or the high one of byte i - 16.</summary>
    private static int Nibble(byte[] block, int at, int i) => i < 16 ? block[at + i] % 16 : block[at + i - 16] / 16;

    /// <summary>Every 32 bytes hold 64 values: first the low halves, then the high ones.</summary>
    private static int Nibble64(byte[] block, int at, int i)
    {
        var value = block[at + i / 64 * 32 + i % 32];
        return i % 64 < 32 ? value % 16 : value / 16;
    }

    private static float WithMinimum(byte[] block, int i, int quant)
    {
        var group = i / 32;
        var scales = block[4..16];
        var scale = group < 4 ? scales[group] % 64 : scales[group + 4] % 16 + scales[group - 4] / 64 * 16;
        var minimum = group < 4 ? scales[group + 4] % 64 : scales[group + 4] / 16 + scales[group] / 64 * 16;
        var (d, m) = (Half(block, 0), Half(block, 2));
        return d * scale * quant - m * minimum;
    }

    /// <summary>128 values share 64 bytes of low halves and 32 bytes of two high bits each.</summary>
    private static int Six(byte[] block, int i)
    {
        var (half, place) = (i / 128, i % 128);
        var low = block[half * 64 + place % 64];
        var four = place < 64 ? low % 16 : low / 16;
        var two = block[128 + half * 32 + place % 32] / (1 << place / 32 * 2) % 4;
        return four + 16 * two;
    }
}
