using EFedLLM.Transformer.Checkpoints.Gguf;

namespace EFedLLM.Transformer.Tests.Gguf;

/// <summary>Rounds weights into blocks of every type: valid ones, near the weights, with no care for the last bit of error.</summary>
internal static class BlockWriter
{
    /// <summary>The blocks of some values, as many as fill whole blocks.</summary>
    public static byte[] Encode(GgufType type, float[] values) =>
        [.. values.Chunk(PlainBlocks.Elements(type)).SelectMany(block => Block(type, block))];

    private static byte[] Block(GgufType type, float[] x) => type switch
    {
        GgufType.F32 => BitConverter.GetBytes(x[0]),
        GgufType.F16 => BitConverter.GetBytes((Half)x[0]),
        GgufType.BF16 => BitConverter.GetBytes(x[0])[2..],
        GgufType.Q8_0 => Symmetric(x, 127, (d, q) => [.. Half(d), .. q.Select(value => (byte)(sbyte)value)]),
        GgufType.Q4_0 => Symmetric(x, 7, (d, q) => [.. Half(d), .. Nibbles(q, 8)]),
        GgufType.Q5_0 => Symmetric(x, 15, (d, q) => [.. Half(d), .. Bits(q, 16, 4), .. Nibbles(q, 16)]),
        GgufType.Q4_1 => Affine(x, 15, (d, m, q) => [.. Half(d), .. Half(m), .. Nibbles(q, 0)]),
        GgufType.Q5_1 => Affine(x, 31, (d, m, q) => [.. Half(d), .. Half(m), .. Bits(q, 0, 4), .. Nibbles(q, 0)]),
        GgufType.Q4_K => WithMinima(x, 15, Nibbles64),
        GgufType.Q5_K => WithMinima(x, 31, static q => [.. Fifths(q), .. Nibbles64(q)]),
        GgufType.Q6_K => Six(x),
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    private static byte[] Half(float value) => BitConverter.GetBytes((Half)value);

    private static float Rounded(float value) => (float)(Half)value;

    private static int Nearest(float value, int least, int most) => (int)Math.Clamp(MathF.Round(value), least, most);

    private static byte[] Symmetric(float[] x, int most, Func<float, int[], byte[]> pack)
    {
        var d = Rounded(x.Max(MathF.Abs) / most);
        return pack(d, [.. x.Select(value => d == 0 ? 0 : Nearest(value / d, -most - 1, most))]);
    }

    private static byte[] Affine(float[] x, int most, Func<float, float, int[], byte[]> pack)
    {
        var m = Rounded(x.Min());
        var d = Rounded((x.Max() - m) / most);
        return pack(d, m, [.. x.Select(value => d == 0 ? 0 : Nearest((value - m) / d, 0, most))]);
    }

    private static byte[] Nibbles(int[] q, int offset) => [.. Enumerable.Range(0, 16).Select(i => (byte)((q[i] + offset & 15) | (q[i + 16] + offset & 15) << 4))];

    private static byte[] Nibbles64(int[] q) =>
        [.. Enumerable.Range(0, 128).Select(i => (byte)((q[i / 32 * 64 + i % 32] & 15) | (q[i / 32 * 64 + i % 32 + 32] & 15) << 4))];

    /// <summary>One bit of each value, in the order of the values.</summary>
    private static byte[] Bits(int[] q, int offset, int bit) =>
        [.. Enumerable.Range(0, q.Length / 8).Select(at => (byte)Enumerable.Range(0, 8).Sum(i => (q[at * 8 + i] + offset >> bit & 1) << i))];

    private static byte[] Fifths(int[] q) => [.. Enumerable.Range(0, 32).Select(i => (byte)Enumerable.Range(0, 8).Sum(group => (q[group * 32 + i] >> 4 & 1) << group))];

    private static byte[] WithMinima(float[] x, int most, Func<int[], byte[]> pack)
    {
        var groups = x.Chunk(32).ToArray();
        var minima = groups.Select(group => Math.Max(0, -group.Min())).ToArray();
        var scales = groups.Select((group, i) => Math.Max(0, group.Max() + minima[i]) / most).ToArray();
        var (d, m) = (Rounded(scales.Max() / 63), Rounded(minima.Max() / 63));
        var s = scales.Select(scale => d == 0 ? 0 : Nearest(scale / d, 0, 63)).ToArray();
        var b = minima.Select(minimum => m == 0 ? 0 : Nearest(minimum / m, 0, 63)).ToArray();
        var q = x.Select((value, i) => s[i / 32] == 0 ? 0 : Nearest((value + m * b[i / 32]) / (d * s[i / 32]), 0, most)).ToArray();
        var packed = new byte[12];
        for (var i = 0; i < 4; i++)
        {
            packed[i] = (byte)(s[i] | s[i + 4] >> 4 << 6);
            packed[i + 4] = (byte)(b[i] | b[i + 4] >> 4 << 6);
            packed[i + 8] = (byte)((s[i + 4] & 15) | (b[i + 4] & 15) << 4);
        }

        return [.. Half(d), .. Half(m), .. packed, .. pack(q)];
    }

    private static byte[] Six(float[] x)
    {
        var scales = x.Chunk(16).Select(group => group.Max(MathF.Abs) / 31).ToArray();
        var d = Rounded(scales.Max() / 127);
        var s = scales.Select(scale => d == 0 ? 0 : Nearest(scale / d, -128, 127)).ToArray();
        var q = x.Select((value, i) => 32 + (s[i / 16] == 0 ? 0 : Nearest(value / (d * s[i / 16]), -32, 31))).ToArray();
        var low = new byte[128];
        var high = new byte[64];
        for (var i = 0; i < x.Length; i++)
        {
            var (half, place) = (i / 128, i % 128);
            low[half * 64 + place % 64] |= (byte)((q[i] & 15) << place / 64 * 4);
            high[half * 32 + place % 32] |= (byte)(q[i] >> 4 << place / 32 * 2);
        }

        return [.. low, .. high, .. s.Select(scale => (byte)(sbyte)scale), .. Half(d)];
    }
}
