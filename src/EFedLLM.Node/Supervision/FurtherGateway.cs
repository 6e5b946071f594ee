namespace EFedLLM.Node.Supervision;

/// <summary>A gateway of a local cluster in a process of its own, with settings of its own.</summary>
/// <param name="Name">The node's name.</param>
/// <param name="Trust">Whether its sessions are signed and checked.</param>
/// <param name="ConfigurationFile">Its settings, or null for the cluster's.</param>
internal sealed record FurtherGateway(string Name, bool Trust, string? ConfigurationFile);
