namespace EFedLLM.Actors.Protocol;

/// <summary>Gateway to a device's host: leave the cluster in order. Answered by <see cref="LeaveAnswer"/> at once; the device is gone later.</summary>
/// <param name="Device">The device that is meant.</param>
public sealed record LeaveCluster(DeviceId Device) : ICommand;

/// <summary>Device to whoever asked it to leave.</summary>
/// <param name="Device">The device.</param>
/// <param name="Refusal">Why it does not leave, for people; null when it does.</param>
/// <param name="Seconds">How long leaving may take at most.</param>
public sealed record LeaveAnswer(DeviceId Device, string? Refusal, int Seconds) : IEvent;
