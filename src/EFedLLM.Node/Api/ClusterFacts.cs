namespace EFedLLM.Node.Api;

/// <summary>Answer of <c>GET /efedllm/v1/cluster</c>: the cluster as one gateway sees it.</summary>
/// <param name="Node">Address of the node that answers.</param>
/// <param name="Leader">Address of the cluster's leader, or null while there is none.</param>
/// <param name="Members">The nodes, by address.</param>
/// <param name="Devices">The devices, by name.</param>
/// <param name="Models">The models served.</param>
internal sealed record ClusterFacts(
    string Node,
    string? Leader,
    IReadOnlyList<MemberFacts> Members,
    IReadOnlyList<DeviceFacts> Devices,
    IReadOnlyList<ModelFacts> Models);

/// <summary>One node.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Roles">Its roles.</param>
/// <param name="Status">Its state in the cluster, in lower case: joining, weaklyup, up, leaving, exiting, down.</param>
/// <param name="Reachable">Whether it answers heartbeats.</param>
/// <param name="Version">The version of its program.</param>
internal sealed record MemberFacts(string Address, IReadOnlyList<string> Roles, string Status, bool Reachable, string Version);

/// <summary>One device.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Address">Its node's address.</param>
/// <param name="MemoryBytes">Memory it gives.</param>
/// <param name="BytesPerSecond">Measured speed; 0 until measured.</param>
/// <param name="Leaving">Whether it drains.</param>
/// <param name="Shards">What it serves.</param>
/// <param name="Fetching">The files it fetches, or null when it fetches none.</param>
/// <param name="Standing">How far it is trusted as a server: <c>probation</c>, <c>junior</c>, <c>full</c>, <c>quarantined</c> or <c>excluded</c>; null where it was never checked.</param>
/// <param name="ChecksPassed">Checks that it passed as a server; null where it was never checked, or the ledger does not answer.</param>
/// <param name="ExcludedUntil">When it may come back; null where it is not excluded, or for good.</param>
/// <param name="ExcludedAs"><c>malicious</c> or <c>faulty</c>; null where it is not excluded, or nobody can say.</param>
/// <param name="Owner">Whose it is, as its certificate says, or it itself where there are none; null where nobody says.</param>
internal sealed record DeviceFacts(
    string Id,
    string Name,
    string Address,
    long MemoryBytes,
    double BytesPerSecond,
    bool Leaving,
    IReadOnlyList<ShardFacts> Shards,
    IReadOnlyList<FetchFacts>? Fetching = null,
    string? Standing = null,
    long? ChecksPassed = null,
    DateTimeOffset? ExcludedUntil = null,
    string? ExcludedAs = null,
    string? Owner = null);

/// <summary>One range of layers whose files a device fetches from others.</summary>
/// <param name="Model">The model's name, or its id where the name is not known.</param>
/// <param name="First">First unit.</param>
/// <param name="End">One past the last unit.</param>
/// <param name="Units">The units in words.</param>
/// <param name="DoneBytes">Bytes that are there.</param>
/// <param name="TotalBytes">Bytes of all its files; 0 while that is not known.</param>
internal sealed record FetchFacts(string Model, int First, int End, string Units, long DoneBytes, long TotalBytes);

/// <summary>One range of layers that a device serves.</summary>
/// <param name="Model">The model's name, or its id where the name is not known.</param>
/// <param name="First">First unit.</param>
/// <param name="End">One past the last unit.</param>
/// <param name="Units">The units in words.</param>
/// <param name="WeightBytes">Bytes of weights held.</param>
/// <param name="Bits">Bits of a weight of the matrices, scales and factors included; null where it is not known.</param>
/// <param name="LowestRank">Smallest rank of the low-rank parts; 0 is none.</param>
/// <param name="HighestRank">Largest rank of the low-rank parts.</param>
/// <param name="StreamedBytes">Bytes of the weights that it reads from disk for every step; 0 where all are in memory.</param>
internal sealed record ShardFacts(string Model, int First, int End, string Units, long WeightBytes, double? Bits, int LowestRank, int HighestRank, long StreamedBytes = 0);

/// <summary>One model served.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Layers">Number of transformer layers.</param>
/// <param name="HiddenSize">Width of the residual stream.</param>
/// <param name="ContextLength">Most positions of a session.</param>
/// <param name="WeightBytes">Bytes of all its weights.</param>
/// <param name="BitsPerWeight">Bits per weight with everything in.</param>
/// <param name="Ready">Whether a prompt would find a route now.</param>
/// <param name="Problem">Why not, or null.</param>
/// <param name="PlanVersion">Version of the placement plan; 0 before the first.</param>
/// <param name="Assignments">Who is to hold what.</param>
internal sealed record ModelFacts(
    string Id,
    string Name,
    int Layers,
    int HiddenSize,
    int ContextLength,
    long WeightBytes,
    double BitsPerWeight,
    bool Ready,
    string? Problem,
    long PlanVersion,
    IReadOnlyList<AssignmentFacts> Assignments);

/// <summary>What one device is to hold.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="First">First unit.</param>
/// <param name="End">One past the last unit.</param>
/// <param name="Units">The units in words.</param>
/// <param name="Reason">Why.</param>
internal sealed record AssignmentFacts(string Device, int First, int End, string Units, string Reason);
