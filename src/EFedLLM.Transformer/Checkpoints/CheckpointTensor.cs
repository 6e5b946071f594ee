using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A tensor of a checkpoint.</summary>
/// <param name="Type">Its type as its file spells it.</param>
/// <param name="HoldsWeights">Whether it can be read as float32.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Elements">Number of elements.</param>
internal sealed record CheckpointTensor(string Type, bool HoldsWeights, ImmutableArray<long> Shape, long Elements);
