using System.CommandLine;
using System.Globalization;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm ledger …</c>: what the devices did and earned.</summary>
internal static class LedgerCommand
{
    /// <summary>Creates the command with its verbs.</summary>
    public static Command Create() => new("ledger", "Look at the rewards and penalties of devices.") { List(), Show() };

    private static Command List()
    {
        var gateway = CommonOptions.Gateway();
        var json = CommonOptions.Json();
        var command = new Command("list", "Every device that the ledger knows.") { gateway, json };
        command.Runs(async (parse, cancellation) =>
        {
            await using var client = new GatewayHttpClient(GatewayLocator.Find(parse.GetValue(gateway)));
            var facts = await client.ReadLedgerAsync(cancellation);
            if (parse.GetValue(json))
            {
                Screen.Json(facts, ApiJson.Default.LedgerFacts);
                return ExitCodes.Ok;
            }

            PrintDevices(facts.Devices);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Show()
    {
        var device = new Argument<string>("device") { Description = "The device's id, or its first digits." };
        var gateway = CommonOptions.Gateway();
        var json = CommonOptions.Json();
        var command = new Command("show", "One device with its latest entries.") { device, gateway, json };
        command.Runs(async (parse, cancellation) =>
        {
            var id = parse.GetRequiredValue(device).ToLowerInvariant();
            if (id.Length is 0 or > 32 || !id.All(char.IsAsciiHexDigit))
            {
                throw new UserErrorException($"A device id is up to 32 hexadecimal digits; \"{parse.GetValue(device)}\" is not.", ExitCodes.Usage);
            }

            await using var client = new GatewayHttpClient(GatewayLocator.Find(parse.GetValue(gateway)));
            var facts = await client.ReadLedgerAsync(id, cancellation);
            if (parse.GetValue(json))
            {
                Screen.Json(facts, ApiJson.Default.LedgerDevice);
                return ExitCodes.Ok;
            }

            PrintDevices([facts]);
            Console.Out.WriteLine();
            PrintEntries(facts);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void PrintDevices(IReadOnlyList<LedgerDevice> devices)
    {
        var table = Tables.Create("device", ">sessions", ">tokens", ">layer tokens", ">time-outs", ">failures", ">reward", ">penalty", "last seen");
        foreach (var device in devices)
        {
            table.Row(
                device.Device, Count(device.Sessions), Count(device.Tokens), Count(device.LayerTokens), Count(device.TimeOuts), Count(device.Failures),
                Say.Number(device.Reward), Say.Number(device.Penalty), Time(device.LastSeen));
        }

        table.Print();
    }

    private static void PrintEntries(LedgerDevice device)
    {
        var table = Tables.Create("when", "outcome", ">tokens", "units", "session");
        foreach (var entry in device.Recent)
        {
            table.Row(Time(entry.At), entry.Outcome, Count(entry.Tokens), $"[{entry.First}, {entry.End})", entry.Session);
        }

        table.Print();
    }

    private static string Count(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Time(DateTimeOffset? at) => at?.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) ?? "";
}
