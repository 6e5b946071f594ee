namespace EFedLLM.Node.Api;

/// <summary>What a gateway's process had others compute since it started.</summary>
/// <param name="Served">Positions times units of its sessions.</param>
/// <param name="Recomputed">Positions times units that were computed a second time to check them.</param>
/// <param name="ServingMicroseconds">Compute time that their hops took, as they say.</param>
/// <param name="CheckingMicroseconds">Compute time that was taken to check them.</param>
/// <param name="ReceivedBytes">Bytes of its sessions' messages that arrived at it, without the transport's own.</param>
/// <param name="AllocatedBytes">Bytes that the process has taken from its managed heap.</param>
internal sealed record WorkFacts(long Served, long Recomputed, long ServingMicroseconds, long CheckingMicroseconds, long ReceivedBytes, long AllocatedBytes);
