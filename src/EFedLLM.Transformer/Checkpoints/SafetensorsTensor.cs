using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A tensor as the header of a safetensors file declares it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Type of its elements, which are little-endian.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a single value.</param>
/// <param name="Offset">Where its data begins, in bytes from the beginning of the file.</param>
/// <param name="Bytes">Bytes of its data.</param>
public sealed record SafetensorsTensor(string Name, SafetensorsType Type, ImmutableArray<long> Shape, long Offset, long Bytes)
{
    /// <summary>Number of elements.</summary>
    public long Elements => Bytes / SizeOf(Type);

    /// <summary>Bytes of one element.</summary>
    public static int SizeOf(SafetensorsType type) => type switch
    {
        SafetensorsType.Bool or SafetensorsType.U8 or SafetensorsType.I8 => 1,
        SafetensorsType.U16 or SafetensorsType.I16 or SafetensorsType.F16 or SafetensorsType.BF16 => 2,
        SafetensorsType.U32 or SafetensorsType.I32 or SafetensorsType.F32 => 4,
        SafetensorsType.U64 or SafetensorsType.I64 or SafetensorsType.F64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "There is no such element type."),
    };

    /// <summary>The name of a type as the file format writes it.</summary>
    internal static string NameOf(SafetensorsType type) => type == SafetensorsType.Bool ? "BOOL" : type.ToString();

    /// <summary>Bytes of a tensor, or null where the product leaves the range of a 64-bit integer or a dimension is negative.</summary>
    internal static long? BytesOf(SafetensorsType type, ReadOnlySpan<long> shape)
    {
        var bytes = (Int128)SizeOf(type);
        foreach (var dimension in shape)
        {
            if (dimension < 0 || (bytes *= dimension) > long.MaxValue)
            {
                return null;
            }
        }

        return (long)bytes;
    }
}
