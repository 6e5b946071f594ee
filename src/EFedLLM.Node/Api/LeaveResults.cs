namespace EFedLLM.Node.Api;

/// <summary>Answer of <c>POST /efedllm/v1/devices/{device}/leave</c>: the device has begun to leave.</summary>
/// <param name="Device">Its id.</param>
/// <param name="Seconds">How long leaving may take at most.</param>
internal sealed record LeaveFacts(string Device, int Seconds);

/// <summary>What <c>efedllm leave --json</c> prints when the device is gone.</summary>
/// <param name="Device">Its id.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Ready">Whether every model of the cluster can be asked without it.</param>
internal sealed record LeaveResult(string Device, string Name, bool Ready);
