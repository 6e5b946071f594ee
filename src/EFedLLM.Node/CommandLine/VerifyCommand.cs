using System.CommandLine;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm verify</c>: checks an answer long after it was given, by what the devices signed and by computing it again.</summary>
internal sealed class VerifyCommand : Command
{
    private readonly Argument<string> _answer = new("answer") { Description = "A file with the output of \"efedllm prompt --json\"." };
    private readonly Option<string?> _model = new("--model", "-m")
    {
        Description = "The model's folder: the factored model that the cluster served, or its checkpoint. Default: the models that were compressed on this machine.",
        HelpName = "path",
    };

    private readonly Option<string?> _cluster = CommonOptions.Cluster();
    private readonly Option<bool> _json = CommonOptions.Json();

    public VerifyCommand()
        : base("verify", "Check an answer by its receipts, and compute it again. Ends with 0 where it holds, 1 where it does not, 2 where that cannot be told here.")
    {
        Add(_answer);
        Add(_model);
        Add(_cluster);
        Add(_json);
        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var cluster = CommonOptions.ClusterOf(parse.GetValue(_cluster));
        ReplayOutcome outcome;
        try
        {
            var folders = await ProveCommand.FoldersAsync(parse.GetValue(_model), cancellation);
            outcome = await Screen.WaitingAsync("computing …", () => VerifyAsync(parse.GetRequiredValue(_answer), folders, cluster, cancellation));
        }
        catch (Exception error) when (ProveCommand.IsTrouble(error))
        {
            outcome = new ReplayOutcome(ReplayResult.CannotTell, $"The answer cannot be checked here: {error.Message}");
        }

        var facts = ProofFacts.Of(outcome);
        if (parse.GetValue(_json))
        {
            Screen.Json(facts, ApiJson.Default.ProofFacts);
        }
        else
        {
            Console.Out.WriteLine(outcome.Text);
        }

        return ProveCommand.Code(facts.Result);
    }

    private static async Task<ReplayOutcome> VerifyAsync(string file, IReadOnlyList<string> folders, ClusterId? cluster, CancellationToken cancellation)
    {
        if (new FileInfo(file).Length > AnswerFile.MostBytes)
        {
            throw new UserErrorException($"it has more than {AnswerFile.MostBytes} bytes.");
        }

        var json = await File.ReadAllBytesAsync(file, cancellation);
        try
        {
            var (answer, signed) = AnswerFile.Read(json);
            var outcome = await AnswerReplay.VerifyAsync(signed, folders, Environment.ProcessorCount, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, cancellation, cluster);
            return outcome.Result == ReplayResult.Holds && await Task.Run(() => TextOf(answer, signed, folders), cancellation) != answer.Text
                ? new ReplayOutcome(ReplayResult.DoesNotHold, "The answer does not hold: its text is not that of its tokens.")
                : outcome;
        }
        catch (InvalidDataException error)
        {
            return new ReplayOutcome(ReplayResult.DoesNotHold, $"The answer does not hold: {error.Message}");
        }
    }

    /// <summary>The text of the tokens; null where nothing here can tell.</summary>
    private static string? TextOf(PromptAnswer answer, SignedAnswer signed, IReadOnlyList<string> folders)
    {
        var sampling = answer.Signed!.Sampling;
        var settings = new GenerationSettings { MaxTokens = signed.Tokens.Length, Stop = [.. sampling.Stop ?? []], IgnoreEndTokens = sampling.IgnoreEos };
        foreach (var folder in folders)
        {
            try
            {
                var model = GatewayModel.Open(folder);
                if (model.Served.Model == signed.Terms.Model)
                {
                    var text = new AnswerText(model.Tokenizer, settings, model.Shape.EndTokens);
                    return string.Concat(signed.Tokens.TakeWhile(_ => text.Finished is null).Select(text.Append));
                }
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException or NotSupportedException)
            {
                // It is another model's folder, or none.
            }
        }

        return null;
    }
}
