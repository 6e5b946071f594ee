namespace EFedLLM.Node.Hosting;

/// <summary>The names of the files in a node's data folder.</summary>
internal static class NodeFiles
{
    /// <summary>The log of the node's current run.</summary>
    public const string Log = "node.log";

    /// <summary>The log of the run before.</summary>
    public const string PreviousLog = "node.previous.log";

    /// <summary>Held open by the process that uses the folder.</summary>
    public const string Lock = "lock";

    /// <summary>The device's key.</summary>
    public const string Key = "device.key";

    /// <summary>The ledger's database.</summary>
    public const string Ledger = "ledger.db";

    /// <summary>The folder of what proves a gateway's verdicts.</summary>
    public const string Proofs = "proofs";

    /// <summary>What waits for the ledger.</summary>
    public const string Outbox = "outbox.db";
}
