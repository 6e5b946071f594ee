namespace EFedLLM.Node.Supervision;

/// <summary>A cluster of child processes on this machine.</summary>
internal sealed record ClusterSettings
{
    /// <summary>Folder of the factored model.</summary>
    public required string ModelFolder { get; init; }

    /// <summary>Folder for all nodes' data.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Number of devices.</summary>
    public int Devices { get; init; } = 3;

    /// <summary>Compute threads of each device.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Memory that each device gives.</summary>
    public long MemoryBytes { get; init; } = 2L << 30;

    /// <summary>Port of the HTTP interface; 0 is any free one.</summary>
    public int HttpPort { get; init; }

    /// <summary>The chat template's name; null is the model folder's own.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Whether the nodes' logs are shown.</summary>
    public bool Verbose { get; init; }
}
