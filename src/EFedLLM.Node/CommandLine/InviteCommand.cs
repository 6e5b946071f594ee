using System.CommandLine;
using System.Globalization;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
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
        var owner = new Option<string?>("--owner") { Description = "Whose the device is, as its certificate will say: devices of one owner do not check each other. Default: nobody's, an owner of its own.", HelpName = "text" };
        var json = CommonOptions.Json();
        var command = new Command("invite", "Make an invite: one word that enrols one device, once.") { ttl, name, owner, json, List(), Revoke() };
        var @operator = new OperatorOptions(command);
        command.Runs(async (parse, cancellation) =>
        {
            var life = Lifetime.Parse(parse.GetRequiredValue(ttl), "--ttl", InviteRules.ShortestLife, InviteRules.LongestLife);
            var whose = Owner(parse.GetValue(owner));
            await using var client = @operator.Connect(parse);
            var result = await client.InviteAsync(new InviteRequest(parse.GetValue(name)?.Trim(), life.TotalSeconds, whose), cancellation);
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

            var isOwned = invites.Any(invite => invite.Owner is not null);
            var table = Tables.Create(["invite", "name", .. isOwned ? ["owner"] : Array.Empty<string>(), "state", "expires", "device"]);
            foreach (var invite in invites)
            {
                table.Row([invite.Id, invite.Name ?? "", .. isOwned ? [invite.Owner ?? ""] : Array.Empty<string>(), invite.State, Time(invite.Expires), invite.Device ?? ""]);
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

    private static string? Owner(string? text) => text is null || OwnerName.Problem(text.Trim()) is not { } problem
        ? text?.Trim()
        : throw new UserErrorException($"--owner cannot be \"{text}\": {problem}.", ExitCodes.Usage);

    private static string Time(DateTimeOffset at) => at.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
}
