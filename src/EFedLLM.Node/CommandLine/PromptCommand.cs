using System.CommandLine;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Local;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm prompt</c>: one question, one answer, from a cluster or from a model in this process.</summary>
internal sealed class PromptCommand : Command
{
    private readonly Option<bool> _local = new("--local") { Description = "Run the model in this process, without a cluster." };
    private readonly Option<string?> _gateway = CommonOptions.Gateway();
    private readonly Option<string?> _model = new("--model", "-m")
    {
        Description = "With --local, a checkpoint (a folder or a .gguf file; it is compressed once, to a cache) or a factored model; default: the bundled efed-mini. "
            + "Else the name of one of the cluster's models; default: its first.",
        HelpName = "path|name",
    };

    private readonly Option<int?> _topLogprobs = new Option<int?>("--top-logprobs")
    {
        Description = "With --json: how many of the most likely tokens are reported with each token. Default: 0.",
        HelpName = "n",
    }.Between(0, ProtocolLimits.TopLogprobs);

    private readonly Option<bool> _json = CommonOptions.Json();
    private readonly LocalOptions _localOptions;
    private readonly PromptInputOptions _input;
    private readonly GenerationOptions _generation;

    public PromptCommand()
        : base("prompt", "Ask once and print the answer.")
    {
        _input = new PromptInputOptions(this);
        foreach (var option in new Option[] { _local, _gateway, _model })
        {
            Add(option);
        }

        _generation = new GenerationOptions(this);
        Add(_topLogprobs);
        Add(_json);
        _localOptions = new LocalOptions(this);
        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var local = parse.GetValue(_local);
        if (local && parse.GetResult(_gateway) is not null)
        {
            throw new UserErrorException("--local and --gateway exclude each other.", ExitCodes.Usage);
        }

        if (!local && _localOptions.FirstGiven(parse) is { } option)
        {
            throw new UserErrorException($"{option} needs --local: a cluster's devices decide that themselves.", ExitCodes.Usage);
        }

        var model = parse.GetValue(_model);
        if (!local && model is not null && Path.Exists(model))
        {
            throw new UserErrorException($"\"{model}\" is a folder or file: add --local to run it in this process, or name one of the cluster's models.", ExitCodes.Usage);
        }

        var request = await _input.ReadAsync(parse, _generation.Read(parse) with { TopLogprobs = parse.GetValue(_topLogprobs) ?? 0 }, cancellation);
        await using IAnswerSource source = local
            ? await LocalAnswerSource.OpenAsync(_localOptions.Read(parse, model), cancellation)
            : new GatewayHttpClient(GatewayLocator.Find(parse.GetValue(_gateway)));
        await AnswerPrinter.PrintAsync(source, local ? request : request with { Model = model, Receipts = parse.GetValue(_json) }, parse.GetValue(_json), cancellation);
        return ExitCodes.Ok;
    }
}
