using System.Runtime.InteropServices;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// Turns ggml's super-blocks of 256 values into float32: groups of 32 (Q4_K, Q5_K) with scales and minima of 6 bits, or of
/// 16 (Q6_K) with scales of 8 bits, which are integers themselves, in units of the super-block's d and m.
/// </summary>
internal static class GgufSuperBlocks
{
    private const int Values = 256;
    private const int Group = 32;
    private const int Groups = Values / Group;

    /// <param name="type">Q4_K, Q5_K or Q6_K.</param>
    /// <param name="blocks">Whole super-blocks.</param>
    /// <param name="values">As many values as those hold.</param>
    public static void Decode(GgufType type, ReadOnlySpan<byte> blocks, Span<float> values)
    {
        var bytes = GgufTypes.Of(type).Bytes;
        for (var at = 0; values.Length > 0; at += bytes)
        {
            var block = blocks.Slice(at, bytes);
            switch (type)
            {
                case GgufType.Q4_K:
                    DecodeWithMinima(block, [], block[16..], values[..Values]);
                    break;
                case GgufType.Q5_K:
                    DecodeWithMinima(block, block.Slice(16, Group), block[(16 + Group)..], values[..Values]);
                    break;
                default:
                    DecodeQ6(block, values[..Values]);
                    break;
            }

            values = values[Values..];
        }
    }

    /// <summary>
    /// d, m, 12 bytes of scales and minima; 128 bytes, of which each 32 hold two groups, one in the low halves, one in the
    /// high ones; Q5_K has 32 more, byte i of which holds the fifth bits of value i of each group.
    /// </summary>
    private static void DecodeWithMinima(ReadOnlySpan<byte> block, ReadOnlySpan<byte> fifths, ReadOnlySpan<byte> quants, Span<float> values)
    {
        var (d, m) = (GgufDecoder.Half16(block), GgufDecoder.Half16(block[2..]));
        for (var group = 0; group < Groups; group++)
        {
            var (scale, minimum) = ScaleAndMinimum(block.Slice(4, 12), group);
            var (groupScale, groupMinimum) = (d * scale, m * minimum);
            var half = quants.Slice(group / 2 * Group, Group);
            var shift = group % 2 * 4;
            var target = values.Slice(group * Group, Group);
            for (var i = 0; i < Group; i++)
            {
                var quant = half[i] >> shift & 0xF;
                if (fifths.Length > 0)
                {
                    quant |= (fifths[i] >> group & 1) << 4;
                }

                target[i] = groupScale * quant - groupMinimum;
            }
        }
    }

    /// <summary>
    /// Eight scales and eight minima of 6 bits in 12 bytes: those of groups 0 to 3 are the low six bits of bytes 0 to 3 and
    /// 4 to 7; those of groups 4 to 7 have their low four bits in the halves of bytes 8 to 11 and their two high bits above
    /// the others.
    /// </summary>
    private static (int Scale, int Minimum) ScaleAndMinimum(ReadOnlySpan<byte> packed, int group) => group < 4
        ? (packed[group] & 63, packed[group + 4] & 63)
        : ((packed[group + 4] & 0xF) | packed[group - 4] >> 6 << 4, packed[group + 4] >> 4 | packed[group] >> 6 << 4);

    /// <summary>
    /// 128 bytes of low four bits, 64 of high two, 16 signed scales, d. Each half of 128 values takes 64 and 32 of those
    /// bytes: four runs of 32 values share a byte of high bits, two of them one of low bits. All values are 32 too large.
    /// </summary>
    private static void DecodeQ6(ReadOnlySpan<byte> block, Span<float> values)
    {
        const int Run = 32;
        var scales = MemoryMarshal.Cast<byte, sbyte>(block.Slice(192, 16));
        var d = GgufDecoder.Half16(block[208..]);
        for (var run = 0; run < Values / Run; run++)
        {
            var (half, part) = (run / 4, run % 4);
            var low = block.Slice(half * 64 + part % 2 * Run, Run);
            var high = block.Slice(128 + half * Run, Run);
            var target = values.Slice(run * Run, Run);
            for (var i = 0; i < Run; i++)
            {
                var quant = (low[i] >> part / 2 * 4 & 0xF) | (high[i] >> part * 2 & 3) << 4;
                target[i] = d * scales[run * 2 + i / 16] * (quant - 32);
            }
        }
    }
}
