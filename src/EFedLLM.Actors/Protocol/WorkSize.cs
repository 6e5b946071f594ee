namespace EFedLLM.Actors.Protocol;

/// <summary>How much work something is, from the shapes of the model: computed by the gateway that asked for it, never claimed by whoever does it.</summary>
/// <param name="Flop">Floating-point operations of all of it.</param>
/// <param name="TokenFlop">Those of one position through the same units, the first of a session: what escrow and slashes are counted in.</param>
public readonly record struct WorkSize(double Flop, double TokenFlop);
