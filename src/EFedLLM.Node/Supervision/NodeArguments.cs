using System.Globalization;
using EFedLLM.Actors.Configuration;
using EFedLLM.Node.Hosting;

namespace EFedLLM.Node.Supervision;

/// <summary>Writes a node's options as the command line of the hidden command <c>node</c>.</summary>
internal static class NodeArguments
{
    /// <summary>The arguments, the command's name first.</summary>
    public static IReadOnlyList<string> Of(NodeOptions options)
    {
        var arguments = new List<string> { "node", "--name", options.Name, "--data", options.DataFolder, "--host", options.Host };
        Add("--public-host", options.PublicHost);
        Add("--port", Text(options.Port));
        Add("--memory", options.MemoryBytes is { } memory ? Text(memory) : null);
        Add("--threads", options.Threads is { } threads ? Text(threads) : null);
        Add("--repair-timeout", options.RepairTimeout is { } patience ? Text((long)patience.TotalSeconds) : null);
        Add("--expected-devices", Text(options.ExpectedDevices));
        Add("--http-port", options.HttpPort is { } port ? Text(port) : null);
        Add("--http-host", options.HttpHost);
        Add("--chat-template", options.ChatTemplate);
        Add("--cert", options.CertificateFolder);
        Add("--ca", options.AuthorityFolder);
        Add("--enrol-port", options.AuthorityFolder is null ? null : Text(options.EnrolPort));
        Add("--config", options.ConfigurationFile);
        Add("--network", options.Profile == NetworkProfile.Wan ? "wan" : "lan");
        Add("--saboteur", options.Saboteur);
        foreach (var model in options.ModelFolders)
        {
            Add("--model", model);
        }

        foreach (var role in options.Roles)
        {
            Add("--role", role);
        }

        foreach (var seed in options.Seeds)
        {
            Add("--seed", seed);
        }

        if (options.Supervised)
        {
            arguments.Add("--supervised");
        }

        if (options.Verbose)
        {
            arguments.Add("--verbose");
        }

        return arguments;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                arguments.Add(name);
                arguments.Add(value);
            }
        }
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
