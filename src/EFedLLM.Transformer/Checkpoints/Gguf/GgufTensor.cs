using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>A tensor as a GGUF file declares it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type's number; one of <see cref="GgufType"/> if weights are read from it.</param>
/// <param name="Shape">Dimensions, outermost first (the file has them the other way round); empty for a single value.</param>
/// <param name="Elements">Number of elements.</param>
/// <param name="Offset">Where its data begins, in bytes from the beginning of the file.</param>
/// <param name="Bytes">Bytes of its data.</param>
internal sealed record GgufTensor(string Name, uint Type, ImmutableArray<long> Shape, long Elements, long Offset, long Bytes)
{
    /// <summary>Whether it can be read as float32.</summary>
    public bool HoldsWeights => Enum.IsDefined((GgufType)Type);

    /// <summary>The type's name.</summary>
    public string TypeName => GgufTypes.Find(Type)!.Name;
}
