using System.CommandLine;
using System.Globalization;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Membership;
using EFedLLM.Node.Api;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm invite …</c>: lets one more machine into a cluster with certificates, without carrying files to it.</summary>
internal static class InviteCommand
{
    /// <summary>Creates the command with its verbs.</summary>
    public static Command Create()
    {
        var ttl = new Option<string>("--ttl") { Description = "How long the invite may be used, for example 30m, 1h or 2d.", HelpName = "time", DefaultValueFactory = _ => "1h" };
        var name = new Option<string?>("--name") { Description = "What the device is to be called. Default: what it calls itself.", HelpName = "text" };
        var json = CommonOptions.Json();
        var command = new Command("invite", "Make an invite: one word that enrols one device, once.") { ttl, name, json, List(), Revoke() };
        var @operator = new OperatorOptions(command);
        command.Runs(async (parse, cancellation) =>
        {
            var life = Lifetime.Parse(parse.GetRequiredValue(ttl), "--ttl", InviteRules.ShortestLife, InviteRules.LongestLife);
            await using var client = @operator.Connect(parse);
            var result = await client.InviteAsync(new InviteRequest(parse.GetValue(name)?.Trim(), life.TotalSeconds), cancellation);
            if (parse.GetValue(json))
            {
                Screen.Json(result, ApiJson.Default.InviteResult);
                return ExitCodes.Ok;
            }

            Screen.Note($"On the other machine, until {Time(result.Invite.Expires)}, once (take it back with: efedllm invite revoke {result.Invite.Id[..8]}):");
            Console.Out.WriteLine(result.Command);
            if (result.Addresses.All(address => BindRules.IsLoopback(HostPort.Parse(address, "address").Host)))
            {
                Screen.Note("This cluster listens on this machine's own address alone, so only this machine can use the invite. Start it with --host <this machine's address> for others.");
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command List()
    {
        var json = CommonOptions.Json();
        var command = new Command("list", "The invites, and what became of them.") { json };
        var @operator = new OperatorOptions(command);
        command.Runs(async (parse, cancellation) =>
        {
            await using var client = @operator.Connect(parse);
            var invites = await client.ReadInvitesAsync(cancellation);
            if (parse.GetValue(json))
            {
                Screen.Json(invites, ApiJson.Default.IReadOnlyListInviteFacts);
                return ExitCodes.Ok;
            }

            var table = Tables.Create("invite", "name", "state", "expires", "device");
            foreach (var invite in invites)
            {
                table.Row(invite.Id, invite.Name ?? "", invite.State, Time(invite.Expires), invite.Device ?? "");
            }

            table.Print();
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Revoke()
    {
        var id = new Argument<string>("id") { Description = "The invite's id, or its first digits." };
        var json = CommonOptions.Json();
        var command = new Command("revoke", "Take an invite back, so that nobody can use it any more.") { id, json };
        var @operator = new OperatorOptions(command);
        command.Runs(async (parse, cancellation) =>
        {
            var named = parse.GetRequiredValue(id).ToLowerInvariant();
            if (named.Length is < 4 or > 16 || !named.All(char.IsAsciiHexDigit))
            {
                throw new UserErrorException($"An invite's id has 4 to 16 hexadecimal digits; \"{parse.GetValue(id)}\" is none.", ExitCodes.Usage);
            }

            await using var client = @operator.Connect(parse);
            var invite = await client.RevokeInviteAsync(named, cancellation);
            if (parse.GetValue(json))
            {
                Screen.Json(invite, ApiJson.Default.InviteFacts);
            }
            else
            {
                Console.Out.WriteLine($"{invite.Id}  {invite.State}");
            }

            return invite.State switch
            {
                "used" => throw new UserErrorException($"The invite has been used by device {invite.Device}; \"efedllm cluster evict {invite.Device}\" keeps that out."),
                _ => ExitCodes.Ok,
            };
        });
        return command;
    }

    private static string Time(DateTimeOffset at) => at.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
}
