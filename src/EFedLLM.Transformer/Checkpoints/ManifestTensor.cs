using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>One tensor of a unit file, as the manifest fixes it.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">The safetensors type: <c>I8</c>, <c>U8</c>, <c>BF16</c> or <c>F32</c>.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
public sealed record ManifestTensor(string Name, string Type, ImmutableArray<int> Shape)
{
    /// <summary>Number of elements.</summary>
    public long Elements => Shape.Aggregate(1L, (product, dimension) => product * dimension);

    /// <summary>Bytes of data, without the file's header or alignment.</summary>
    public long Bytes => Elements * Type switch
    {
        "F32" => 4,
        "BF16" => 2,
        _ => 1,
    };
}
