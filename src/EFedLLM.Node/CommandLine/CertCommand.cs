using System.CommandLine;
using EFedLLM.Actors.Identity;
using EFedLLM.Node.Api;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm cert …</c>: the certificates that let machines trust each other.</summary>
internal static class CertCommand
{
    private const int AuthorityDays = 3650;
    private const int NodeDays = 825;
    private const int MostDays = 36500;

    /// <summary>Creates the command with its verbs.</summary>
    public static Command Create() => new("cert", "Make the certificates that a cluster over several machines needs.") { Authority(), Issue() };

    private static Command Authority()
    {
        var folder = new Argument<string>("folder") { Description = "Folder for the authority's certificate and key. Keep the key safe, and on no node." };
        var name = new Option<string>("--name") { Description = "A name for people.", HelpName = "text", DefaultValueFactory = _ => "EFedLLM cluster" };
        var days = Days(AuthorityDays);
        var json = CommonOptions.Json();
        var command = new Command("ca", "Make a new authority: one for each cluster.") { folder, name, days, json };
        command.Runs((parse, _) =>
        {
            var path = Path.GetFullPath(parse.GetRequiredValue(folder));
            using var authority = CertificateAuthority.Create(path, Name(parse.GetRequiredValue(name)), Lifetime(parse, days, AuthorityDays));
            if (parse.GetValue(json))
            {
                Screen.Json(new CertResult(path, authority.Fingerprint), ApiJson.Default.CertResult);
            }
            else
            {
                Console.Out.WriteLine($"authority    {path}");
                Console.Out.WriteLine($"fingerprint  {authority.Fingerprint}");
                Screen.Note($"Next, for each machine: efedllm cert issue <its folder> --ca {path} --host <its address>");
            }

            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    private static Command Issue()
    {
        var folder = new Argument<string>("folder") { Description = "Folder for the node's certificate and key; move it to the node and name it there with --cert." };
        var ca = new Option<string>("--ca") { Description = "The authority's folder, as \"efedllm cert ca\" made it.", HelpName = "folder", Required = true };
        var name = new Option<string?>("--name") { Description = "A name for people. Default: the first host.", HelpName = "text" };
        var hosts = new Option<string[]>("--host") { Description = "A host name or address under which the node is reached; may be given several times.", HelpName = "host", Required = true };
        var days = Days(NodeDays);
        var json = CommonOptions.Json();
        var command = new Command("issue", "Make a node's certificate.") { folder, ca, name, hosts, days, json };
        command.Runs((parse, _) =>
        {
            var path = Path.GetFullPath(parse.GetRequiredValue(folder));
            var names = parse.GetRequiredValue(hosts);
            foreach (var host in names.Where(host => Uri.CheckHostName(host) is UriHostNameType.Unknown))
            {
                throw new UserErrorException($"--host must be a host name or an address without a port; it is \"{host}\".", ExitCodes.Usage);
            }

            using var authority = CertificateAuthority.Load(parse.GetRequiredValue(ca));
            authority.Issue(path, Name(parse.GetValue(name) ?? names[0]), names, Lifetime(parse, days, NodeDays));
            if (parse.GetValue(json))
            {
                Screen.Json(new CertResult(path, authority.Fingerprint), ApiJson.Default.CertResult);
            }
            else
            {
                Console.Out.WriteLine($"certificate  {path}");
                Console.Out.WriteLine($"authority    {authority.Fingerprint}");
                Screen.Note("Move the folder to the node, and start it there with --cert and the folder's name.");
            }

            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    private static Option<int?> Days(int @default) => new Option<int?>("--days") { Description = $"How long it is valid. Default: {@default}.", HelpName = "n" }.Between(1, MostDays);

    private static TimeSpan Lifetime(ParseResult parse, Option<int?> days, int @default) => TimeSpan.FromDays(parse.GetValue(days) ?? @default);

    private static string Name(string name) => name.Trim().Length is > 0 and <= 64
        ? name.Trim()
        : throw new UserErrorException("--name must have 1 to 64 characters.", ExitCodes.Usage);
}
