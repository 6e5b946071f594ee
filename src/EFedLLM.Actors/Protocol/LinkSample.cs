namespace EFedLLM.Actors.Protocol;

/// <summary>How far another device is, as the device that announces it measured.</summary>
/// <param name="Peer">The other device.</param>
/// <param name="Milliseconds">A round trip of a small message: the least of the latest few.</param>
public readonly record struct LinkSample(DeviceId Peer, float Milliseconds);
