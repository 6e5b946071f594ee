using EFedLLM.Node.Api;

namespace EFedLLM.Node.Supervision;

/// <summary>What <c>efedllm up --json</c> prints once the cluster is ready.</summary>
/// <param name="Gateway">Base address of the HTTP interface.</param>
/// <param name="OpenAi">Base address for OpenAI clients.</param>
/// <param name="Seed">Address that further devices join.</param>
/// <param name="Join">The command with which one does.</param>
/// <param name="Nodes">The processes.</param>
/// <param name="Cluster">Who holds what.</param>
internal sealed record UpReport(string Gateway, string OpenAi, string Seed, string Join, IReadOnlyList<UpNode> Nodes, ClusterFacts Cluster)
{
    /// <summary>The report of a cluster that is ready.</summary>
    public static async Task<UpReport> OfAsync(LocalCluster cluster, ClusterFacts facts)
    {
        var nodes = new List<UpNode>(cluster.Nodes.Count);
        foreach (var node in cluster.Nodes)
        {
            var ready = await node.Ready;
            nodes.Add(new UpNode(node.Options.Name, node.Pid, ready.Address, ready.Device));
        }

        return new UpReport(cluster.Gateway.ToString(), new Uri(cluster.Gateway, "v1").ToString(), cluster.Seed, JoinCommand(cluster), nodes, facts);
    }

    /// <summary>How a person adds a device.</summary>
    public static string JoinCommand(LocalCluster cluster) => cluster.AuthorityFolder is not null
        ? $"{OwnProgram.ForPeople()} invite, and on the other machine what it prints"
        : $"{OwnProgram.ForPeople()} join --seed {cluster.Seed}{(cluster.CertificateFolder is null ? "" : " --cert <its certificate's folder>")}";
}

/// <summary>One process.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Pid">Its process id.</param>
/// <param name="Address">Its address in the cluster.</param>
/// <param name="Device">Its device id, or null where it is none.</param>
internal sealed record UpNode(string Name, int Pid, string Address, string? Device);
