using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// Turns blocks into float32. What a block holds, and in which order its values are computed, are facts of ggml's format
/// (the block structures of <c>ggml-common.h</c> and the reference decoding of <c>ggml-quants.c</c>): a scale d, perhaps a
/// minimum m, as float16; a value is d·q or d·q + m. A scale that is not finite gives values that are not.
/// </summary>
internal static unsafe class GgufDecoder
{
    private const int Block = 32;
    private const int Half = Block / 2;

    /// <param name="type">The type.</param>
    /// <param name="blocks">Whole blocks.</param>
    /// <param name="values">As many values as those blocks hold.</param>
    public static void Decode(GgufType type, ReadOnlySpan<byte> blocks, Span<float> values)
    {
        switch (type)
        {
            case GgufType.F32:
                MemoryMarshal.Cast<byte, float>(blocks).CopyTo(values);
                break;
            case GgufType.F16:
                fixed (byte* source = blocks)
                {
                    HalfPrecision.WidenFloat16((ushort*)source, values);
                }

                break;
            case GgufType.BF16:
                fixed (byte* source = blocks)
                {
                    HalfPrecision.WidenBFloat16((ushort*)source, values);
                }

                break;
            case GgufType.Q8_0:
                Each(blocks, values, 34, &DecodeQ8);
                break;
            case GgufType.Q4_0:
                Each(blocks, values, 18, &DecodeQ4);
                break;
            case GgufType.Q4_1:
                Each(blocks, values, 20, &DecodeQ4WithMinimum);
                break;
            case GgufType.Q5_0:
                Each(blocks, values, 22, &DecodeQ5);
                break;
            case GgufType.Q5_1:
                Each(blocks, values, 24, &DecodeQ5WithMinimum);
                break;
            case GgufType.Q4_K or GgufType.Q5_K or GgufType.Q6_K:
                GgufSuperBlocks.Decode(type, blocks, values);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "Weights are not read from this type.");
        }
    }

    /// <summary>A float16.</summary>
    public static float Half16(ReadOnlySpan<byte> bytes) => (float)BitConverter.UInt16BitsToHalf(BinaryPrimitives.ReadUInt16LittleEndian(bytes));

    private static void Each(ReadOnlySpan<byte> blocks, Span<float> values, int bytes, delegate*<ReadOnlySpan<byte>, Span<float>, void> decode)
    {
        for (var at = 0; values.Length > 0; at += bytes)
        {
            decode(blocks.Slice(at, bytes), values[..Block]);
            values = values[Block..];
        }
    }

    /// <summary>d, then 32 signed bytes.</summary>
    private static void DecodeQ8(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = Half16(block);
        var quants = MemoryMarshal.Cast<byte, sbyte>(block[2..]);
        for (var i = 0; i < Block; i++)
        {
            values[i] = quants[i] * scale;
        }
    }

    /// <summary>d, then 16 bytes: the low halves are the first 16 values, the high halves the last 16, all of them 8 too large.</summary>
    private static void DecodeQ4(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = Half16(block);
        var quants = block[2..];
        for (var i = 0; i < Half; i++)
        {
            values[i] = ((quants[i] & 0xF) - 8) * scale;
            values[i + Half] = ((quants[i] >> 4) - 8) * scale;
        }
    }

    /// <summary>d, m, then 16 bytes as in Q4_0, but from 0 on.</summary>
    private static void DecodeQ4WithMinimum(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (scale, minimum) = (Half16(block), Half16(block[2..]));
        var quants = block[4..];
        for (var i = 0; i < Half; i++)
        {
            values[i] = (quants[i] & 0xF) * scale + minimum;
            values[i + Half] = (quants[i] >> 4) * scale + minimum;
        }
    }

    /// <summary>d, 32 fifth bits, then 16 bytes as in Q4_0; all values are 16 too large.</summary>
    private static void DecodeQ5(ReadOnlySpan<byte> block, Span<float> values)
    {
        var scale = Half16(block);
        var high = BinaryPrimitives.ReadUInt32LittleEndian(block[2..]);
        var quants = block[6..];
        for (var i = 0; i < Half; i++)
        {
            values[i] = (((quants[i] & 0xF) | Fifth(high, i)) - 16) * scale;
            values[i + Half] = (((quants[i] >> 4) | Fifth(high, i + Half)) - 16) * scale;
        }
    }

    /// <summary>d, m, 32 fifth bits, then 16 bytes as in Q5_0, but from 0 on.</summary>
    private static void DecodeQ5WithMinimum(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (scale, minimum) = (Half16(block), Half16(block[2..]));
        var high = BinaryPrimitives.ReadUInt32LittleEndian(block[4..]);
        var quants = block[8..];
        for (var i = 0; i < Half; i++)
        {
            values[i] = ((quants[i] & 0xF) | Fifth(high, i)) * scale + minimum;
            values[i + Half] = ((quants[i] >> 4) | Fifth(high, i + Half)) * scale + minimum;
        }
    }

    private static int Fifth(uint bits, int index) => (int)((bits >> index & 1) << 4);
}
