using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Protocol;

/// <summary>Ledger node to a device's host: compute the golden vectors of a seed. Answered by <see cref="GoldenComputed"/>.</summary>
/// <param name="Device">The device.</param>
/// <param name="Seed">The seed, which nobody knew before.</param>
public sealed record ComputeGolden(DeviceId Device, ulong Seed) : ICommand;

/// <summary>What came of <see cref="ComputeGolden"/>.</summary>
/// <param name="Device">The device.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Root">The root over what came out; all zero where the device could not compute them.</param>
public sealed record GoldenComputed(DeviceId Device, ulong Seed, Digest Root) : IEvent;
