using System.CommandLine;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm leave</c>: a device leaves its cluster in order: others take over its layers first.</summary>
internal sealed class LeaveCommand : Command
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    // Beyond what the device says that it takes: handing over, and leaving the cluster.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(30);

    private readonly Argument<string?> _device = new("device")
    {
        Description = "The device: its name, its id or the beginning of it. Default: the one that runs on this machine.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _gateway = CommonOptions.Gateway();
    private readonly Option<bool> _json = CommonOptions.Json();

    public LeaveCommand()
        : base("leave", "Take a device out of its cluster: others take over its layers, what it has under way is finished or moved, then it ends.")
    {
        Add(_device);
        Add(_gateway);
        Add(_json);
        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        await using var client = new GatewayHttpClient(GatewayLocator.Find(parse.GetValue(_gateway)));
        var facts = await client.ReadClusterAsync(cancellation);
        var device = Choose(facts.Devices, parse.GetValue(_device), LocalDevices.Ids());
        var leaving = await client.LeaveAsync(device.Id, cancellation);
        Screen.Note($"{device.Name} ({AnswerLines.Short(device.Id)}) is leaving: others take over its layers first; this takes {leaving.Seconds} s at most");
        var gone = await Screen.WaitingAsync($"waiting until {device.Name} is gone", () => GoneAsync(client, device, TimeSpan.FromSeconds(leaving.Seconds) + Slack, cancellation));
        if (parse.GetValue(_json))
        {
            Screen.Json(new LeaveResult(device.Id, device.Name, gone.Models.All(model => model.Ready)), ApiJson.Default.LeaveResult);
        }
        else
        {
            Console.Out.WriteLine($"{device.Name} has left");
            foreach (var model in gone.Models.Where(model => !model.Ready))
            {
                Console.Out.WriteLine($"{model.Name} cannot be asked now: {model.Problem}");
            }
        }

        return ExitCodes.Ok;
    }

    /// <summary>The device that is meant.</summary>
    /// <param name="devices">The cluster's.</param>
    /// <param name="named">A name, an id or its beginning; null is the one of <paramref name="local"/>.</param>
    /// <param name="local">The devices that run on this machine.</param>
    /// <exception cref="UserErrorException">There is none, or more than one.</exception>
    internal static DeviceFacts Choose(IReadOnlyList<DeviceFacts> devices, string? named, IReadOnlySet<string> local)
    {
        var matching = named is null
            ? devices.Where(device => local.Contains(device.Id)).ToArray()
            : devices.Where(device => device.Name == named || device.Id.StartsWith(named, StringComparison.OrdinalIgnoreCase)).ToArray();
        var known = devices.Count == 0 ? "The cluster has no devices." : $"There are: {string.Join(", ", devices.Select(device => $"{device.Name} ({AnswerLines.Short(device.Id)})"))}.";
        return matching switch
        {
            [var only] => only,
            [] when named is null => throw new UserErrorException($"No device of this machine is in the cluster: name one. {known}", ExitCodes.Usage),
            [] => throw new UserErrorException($"The cluster has no device {named}. {known}", ExitCodes.Usage),
            _ => throw new UserErrorException($"That may be {string.Join(" or ", matching.Select(device => $"{device.Name} ({AnswerLines.Short(device.Id)})"))}: name one by its id.", ExitCodes.Usage),
        };
    }

    private static async Task<ClusterFacts> GoneAsync(GatewayHttpClient client, DeviceFacts device, TimeSpan limit, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(limit);
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (true)
            {
                var facts = await client.ReadClusterAsync(patience.Token);

                // One that came back at another address has left all the same.
                if (!facts.Members.Any(member => member.Address == device.Address))
                {
                    return facts;
                }

                await timer.WaitForNextTickAsync(patience.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new UserErrorException($"{device.Name} has not left within {limit.TotalSeconds:0} s; its log says why. End its process to be rid of it.");
        }
    }
}
