namespace EFedLLM.Node.Hosting;

/// <summary>What a node does in the cluster; the names are those of the HOCON settings.</summary>
internal static class NodeRoles
{
    /// <summary>Accepts prompts.</summary>
    public const string Gateway = "gateway";

    /// <summary>Hosts the ledger.</summary>
    public const string Ledger = "ledger";

    /// <summary>Recomputes samples of devices' work.</summary>
    public const string Verifier = "verifier";

    /// <summary>Is a seed, and decides who stays when the network breaks.</summary>
    public const string Anchor = "anchor";

    /// <summary>Holds layers.</summary>
    public const string Device = "device";

    /// <summary>What the first node of a cluster on one machine does.</summary>
    public static IReadOnlyList<string> FirstNode { get; } = [Gateway, Ledger, Verifier, Anchor];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Gateway, Ledger, Verifier, Anchor, Device];
}
