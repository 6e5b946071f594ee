using System.CommandLine;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm ledger …</c>: what the devices did and earned.</summary>
internal static class LedgerCommand
{
    /// <summary>Creates the command with its verbs.</summary>
    public static Command Create() => new("ledger", "Look at what devices did and earned, and what checks of their work showed.") { List(), Show(), ProveCommand.Create(), AppealCommand.Create() };

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

            LedgerTables.Devices(facts.Devices);
            foreach (var problem in facts.Problems ?? [])
            {
                Screen.Note(problem);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Show()
    {
        var device = new Argument<string>("device") { Description = "The device's id, or its first digits." };
        var gateway = CommonOptions.Gateway();
        var json = CommonOptions.Json();
        var command = new Command("show", "One device with its standing and its latest entries.") { device, gateway, json };
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

            LedgerTables.Device(facts);
            return ExitCodes.Ok;
        });
        return command;
    }
}
