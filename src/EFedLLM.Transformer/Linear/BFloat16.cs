namespace EFedLLM.Transformer.Linear;

/// <summary>The upper half of an IEEE 754 binary32, the form in which scales are stored.</summary>
public static class BFloat16
{
    /// <summary>The nearest value, ties to the even one; beyond the largest finite value infinity, for a NaN a quiet NaN of its sign.</summary>
    public static ushort FromSingle(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value)
            ? (ushort)((bits >> 16) | 0x40)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>The value as float32, which is exact.</summary>
    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
