using System.Collections.Immutable;

namespace EFedLLM.Actors.Configuration;

/// <summary>Names that all nodes must agree on. <c>remote.conf</c> lists the paths they lead to: a name changed here is changed there.</summary>
public static class ClusterNames
{
    /// <summary>The actor system.</summary>
    public const string System = "efedllm";

    /// <summary>Role: holds layers.</summary>
    public const string Device = "device";

    /// <summary>Role: accepts prompts.</summary>
    public const string Gateway = "gateway";

    /// <summary>Role: recomputes samples of devices' work.</summary>
    public const string Verifier = "verifier";

    /// <summary>Role: hosts the ledger.</summary>
    public const string Ledger = "ledger";

    /// <summary>Role: is a seed, and decides who stays when the network breaks.</summary>
    public const string Anchor = "anchor";

    /// <summary>The sharded type of the ledger's entities, one for each device.</summary>
    public const string LedgerType = "ledger";

    /// <summary>The placement's singleton manager, under <c>/user</c>; the singleton itself is its child <c>singleton</c>.</summary>
    public const string PlacementActor = "placement";

    /// <summary>The GatewayActor, under <c>/user</c>.</summary>
    public const string GatewayActor = "gateway";

    /// <summary>All roles.</summary>
    public static ImmutableArray<string> Roles { get; } = [Device, Gateway, Verifier, Ledger, Anchor];
}
