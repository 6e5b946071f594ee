using System.Collections.Frozen;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>How the data of every type that a GGUF file may have is cut into blocks, whether weights are read from it or not.</summary>
internal static class GgufTypes
{
    private static readonly FrozenDictionary<uint, Layout> Layouts = new Dictionary<uint, Layout>
    {
        [0] = new("F32", 1, 4), [1] = new("F16", 1, 2), [30] = new("BF16", 1, 2), [28] = new("F64", 1, 8),
        [24] = new("I8", 1, 1), [25] = new("I16", 1, 2), [26] = new("I32", 1, 4), [27] = new("I64", 1, 8),
        [2] = new("Q4_0", 32, 18), [3] = new("Q4_1", 32, 20), [6] = new("Q5_0", 32, 22), [7] = new("Q5_1", 32, 24), [8] = new("Q8_0", 32, 34), [9] = new("Q8_1", 32, 36),
        [10] = new("Q2_K", 256, 84), [11] = new("Q3_K", 256, 110), [12] = new("Q4_K", 256, 144), [13] = new("Q5_K", 256, 176), [14] = new("Q6_K", 256, 210), [15] = new("Q8_K", 256, 292),
        [16] = new("IQ2_XXS", 256, 66), [17] = new("IQ2_XS", 256, 74), [18] = new("IQ3_XXS", 256, 98), [19] = new("IQ1_S", 256, 50), [20] = new("IQ4_NL", 32, 18),
        [21] = new("IQ3_S", 256, 110), [22] = new("IQ2_S", 256, 82), [23] = new("IQ4_XS", 256, 136), [29] = new("IQ1_M", 256, 56),
        [34] = new("TQ1_0", 256, 54), [35] = new("TQ2_0", 256, 66), [39] = new("MXFP4", 32, 17),
    }.ToFrozenDictionary();

    /// <summary>The types that weights are read from, for messages.</summary>
    public static string Readable { get; } = string.Join(", ", Enum.GetValues<GgufType>());

    /// <summary>The layout of a type by its number in the file, or null for one that is not known.</summary>
    public static Layout? Find(uint type) => Layouts.TryGetValue(type, out var layout) ? layout : null;

    /// <summary>The layout of a type that weights are read from.</summary>
    public static Layout Of(GgufType type) => Layouts[(uint)type];

    /// <param name="Name">The type's name.</param>
    /// <param name="Elements">Values of a block, all of one row.</param>
    /// <param name="Bytes">Bytes of a block.</param>
    public sealed record Layout(string Name, int Elements, int Bytes);
}
