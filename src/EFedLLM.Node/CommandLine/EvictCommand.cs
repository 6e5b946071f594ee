using System.CommandLine;
using System.Globalization;
using EFedLLM.Actors.Identity;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm cluster evict</c>, <c>readmit</c> and <c>evicted</c>: who is kept out.</summary>
internal static class EvictCommand
{
    /// <summary>Creates <c>evict</c>.</summary>
    public static Command Evict()
    {
        var device = Device();
        var certificate = new Option<string?>("--cert") { Description = "The device's certificate file (node.crt), where it was made with \"efedllm cert issue\" and does not name the device.", HelpName = "file" };
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask." };
        var json = CommonOptions.Json();
        var command = new Command("evict", "Take a device out and keep it out, on every node, after restarts too.") { device, certificate, yes, json };
        var @operator = new OperatorOptions(command);
        command.Runs(async (parse, cancellation) =>
        {
            var key = parse.GetValue(certificate) is { } file ? CertificateRules.FingerprintOfFile(file) : null;
            var named = parse.GetRequiredValue(device).Trim();
            await using var client = @operator.Connect(parse);
            if (!parse.GetValue(yes))
            {
                await ConfirmAsync(client, named, cancellation);
            }

            return Print(await client.EvictAsync(new EvictRequest(named, key), cancellation), parse.GetValue(json));
        });
        return command;
    }

    /// <summary>Creates <c>readmit</c>.</summary>
    public static Command Readmit()
    {
        var device = Device();
        var json = CommonOptions.Json();
        var command = new Command("readmit", "Let a device in again that was evicted.") { device, json };
        var @operator = new OperatorOptions(command);
        command.Runs(async (parse, cancellation) =>
        {
            await using var client = @operator.Connect(parse);
            return Print(await client.ReadmitAsync(new EvictRequest(parse.GetRequiredValue(device).Trim()), cancellation), parse.GetValue(json));
        });
        return command;
    }

    /// <summary>Creates <c>evicted</c>.</summary>
    public static Command Evicted()
    {
        var gateway = CommonOptions.Gateway();
        var json = CommonOptions.Json();
        var command = new Command("evicted", "The devices that are kept out.") { gateway, json };
        command.Runs(async (parse, cancellation) =>
        {
            await using var client = new GatewayHttpClient(GatewayLocator.Find(parse.GetValue(gateway)));
            var evicted = await client.ReadEvictedAsync(cancellation);
            if (parse.GetValue(json))
            {
                Screen.Json(evicted, ApiJson.Default.IReadOnlyListEvictedFacts);
                return ExitCodes.Ok;
            }

            var table = Tables.Create("device", "name", "since", ">version");
            foreach (var one in evicted)
            {
                table.Row(one.Device, one.Name, one.At.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), one.Version.ToString(CultureInfo.InvariantCulture));
            }

            table.Print();
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Argument<string> Device() => new("device") { Description = "The device's id, its first digits, or its name." };

    private static async Task ConfirmAsync(GatewayHttpClient client, string named, CancellationToken cancellation)
    {
        var facts = await client.ReadClusterAsync(cancellation);
        var matching = facts.Devices.Where(one => one.Name == named || one.Id.StartsWith(named, StringComparison.OrdinalIgnoreCase)).ToList();
        var what = matching.Count == 0 ? named : string.Join(", ", matching.Select(one => $"{one.Name} ({AnswerLines.Short(one.Id)}) at {ClusterTables.Address(one.Address)}"));
        Console.Error.Write($"Evict {what} and keep it out? [y/N] ");
        var answer = await Console.In.ReadLineAsync(cancellation);
        if (answer?.Trim().ToLowerInvariant() is not ("y" or "yes"))
        {
            throw new UserErrorException("Nothing was done. Answer y, or add --yes where nobody is there to answer.", ExitCodes.Usage);
        }
    }

    private static int Print(EvictResult result, bool json)
    {
        if (json)
        {
            Screen.Json(result, ApiJson.Default.EvictResult);
            return ExitCodes.Ok;
        }

        var who = result.Name.Length > 0 ? $"{result.Name} ({result.Device})" : result.Device;
        Console.Out.WriteLine((result.Evicted, result.Changed) switch
        {
            (true, true) => $"evicted {who}",
            (true, false) => $"{who} was evicted already",
            (false, true) => $"{who} may join again",
            (false, false) => $"{who} was not evicted",
        });
        foreach (var node in result.Nodes)
        {
            Console.Out.WriteLine($"took {node} out of the cluster");
        }

        if (!result.Everywhere)
        {
            Screen.Note("Not every member has confirmed it yet; the others learn of it as they gossip.");
        }

        if (result.Warning is { } warning)
        {
            Screen.Note(warning);
        }

        return ExitCodes.Ok;
    }
}
