using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Trust;

/// <summary>Who checks a unit.</summary>
/// <param name="Device">The device.</param>
/// <param name="IsRepeated">Whether it checked one of the device's latest units already, because there is nobody else.</param>
public readonly record struct DrawnVerifier(DeviceId Device, bool IsRepeated);
