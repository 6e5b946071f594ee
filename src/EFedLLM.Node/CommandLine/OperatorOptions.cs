using System.CommandLine;
using EFedLLM.Actors.Membership;
using EFedLLM.Node.Client;

namespace EFedLLM.Node.CommandLine;

/// <summary>What every command has that only a cluster's operator may run: which gateway, and the authority's folder that shows the right to it.</summary>
internal sealed class OperatorOptions
{
    private readonly Option<string?> _gateway = CommonOptions.Gateway();
    private readonly Option<string?> _authority = CommonOptions.Authority("The authority's folder, as the gateway was given it with --ca. Default: that of the cluster last started here.");

    /// <summary>Creates the options and adds them to a command.</summary>
    public OperatorOptions(Command command)
    {
        command.Add(_gateway);
        command.Add(_authority);
    }

    /// <summary>A client of the gateway that shows the operator's token, where there is one to show.</summary>
    public GatewayHttpClient Connect(ParseResult parse)
    {
        var folder = parse.GetValue(_authority) is { } named ? Path.GetFullPath(named) : UserFolder.LastCluster()?.Authority;
        return new GatewayHttpClient(GatewayLocator.Find(parse.GetValue(_gateway)), null, folder is null ? null : OperatorToken.Load(folder).Value, folder);
    }
}
