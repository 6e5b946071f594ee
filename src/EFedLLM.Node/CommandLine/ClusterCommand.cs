using System.CommandLine;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm cluster …</c>: who is in the cluster, who holds what, whether it can answer, who is kept out.</summary>
internal static class ClusterCommand
{
    /// <summary>Creates the command with its verbs.</summary>
    public static Command Create() => new("cluster", "Look at a cluster, and keep devices out: members, devices, layers, plans.")
    {
        Verb("show", "Members, devices and models, all at once.", ClusterTables.Show),
        Verb("members", "The nodes with their roles and states.", ClusterTables.Members),
        Verb("leader", "The cluster's leader.", facts => Console.Out.WriteLine(facts.Leader ?? "none")),
        Verb("status", "Whether each model can be asked, and if not, why.", ClusterTables.Models),
        Verb("shards", "Which device holds which layers, with memory, bits and rank.", ClusterTables.Shards),
        EvictCommand.Evict(),
        EvictCommand.Readmit(),
        EvictCommand.Evicted(),
        PlanCommand.Create(),
        SimulateCommand.Create(),
    };

    private static Command Verb(string name, string description, Action<ClusterFacts> print)
    {
        var gateway = CommonOptions.Gateway();
        var json = CommonOptions.Json();
        var command = new Command(name, description) { gateway, json };
        command.Runs(async (parse, cancellation) =>
        {
            await using var client = new GatewayHttpClient(GatewayLocator.Find(parse.GetValue(gateway)));
            var facts = await client.ReadClusterAsync(cancellation);
            if (parse.GetValue(json))
            {
                PrintJson(name, facts);
            }
            else
            {
                print(facts);
            }

            // A script can wait for a cluster by the exit code alone.
            return name == "status" && !(facts.Models.Count > 0 && facts.Models.All(model => model.Ready)) ? ExitCodes.Failed : ExitCodes.Ok;
        });
        return command;
    }

    private static void PrintJson(string verb, ClusterFacts facts)
    {
        switch (verb)
        {
            case "members":
                Screen.Json(facts.Members, ApiJson.Default.IReadOnlyListMemberFacts);
                break;
            case "leader":
                Screen.Json(new LeaderResult(facts.Leader), ApiJson.Default.LeaderResult);
                break;
            case "status":
                Screen.Json(facts.Models, ApiJson.Default.IReadOnlyListModelFacts);
                break;
            case "shards":
                Screen.Json(facts.Devices, ApiJson.Default.IReadOnlyListDeviceFacts);
                break;
            default:
                Screen.Json(facts, ApiJson.Default.ClusterFacts);
                break;
        }
    }
}
