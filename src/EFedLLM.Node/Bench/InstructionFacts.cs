namespace EFedLLM.Node.Bench;

/// <summary>What multiplies weights.</summary>
/// <param name="Bits">Bits of a weight.</param>
/// <param name="Instructions">In the order in which they are used.</param>
internal sealed record InstructionFacts(int Bits, string Instructions);
