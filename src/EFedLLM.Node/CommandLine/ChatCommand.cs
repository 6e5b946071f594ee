using System.CommandLine;
using EFedLLM.Node.Client;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm chat</c>: a conversation with a cluster.</summary>
internal sealed class ChatCommand : Command
{
    private readonly Option<string?> _gateway = CommonOptions.Gateway();
    private readonly Option<string?> _model = new("--model", "-m") { Description = "The name of one of the cluster's models. Default: its first.", HelpName = "name" };
    private readonly Option<string?> _system = new("--system") { Description = "A system message in front of the conversation.", HelpName = "text" };
    private readonly GenerationOptions _generation;

    public ChatCommand()
        : base("chat", "Talk with a cluster; the conversation is remembered until you leave.")
    {
        foreach (var option in new Option[] { _gateway, _model, _system })
        {
            Add(option);
        }

        _generation = new GenerationOptions(this);
        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var request = _generation.Read(parse) with { Model = parse.GetValue(_model) };
        await using var gateway = new GatewayHttpClient(GatewayLocator.Find(parse.GetValue(_gateway)));
        // A wrong address shows before the first question, not after it.
        await gateway.ReadClusterAsync(cancellation);
        await new ChatLoop(gateway, request, parse.GetValue(_system)).RunAsync(cancellation);
        return ExitCodes.Ok;
    }
}
