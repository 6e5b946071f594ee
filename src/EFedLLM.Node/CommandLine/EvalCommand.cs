using System.CommandLine;
using System.Globalization;
using System.Text;
using EFedLLM.Compression.Evaluation;
using EFedLLM.Node.Api;
using EFedLLM.Node.Local;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.CommandLine;

/// <summary>
/// <c>efedllm eval</c>: how well a model foresees a text. The whole file is encoded without a begin token; the tokens are cut into
/// chunks, each fed by itself behind a start token (<see cref="StartToken"/>), and every token of a chunk is scored.
/// </summary>
internal sealed class EvalCommand : Command
{
    private const long MostBytes = 1L << 30;

    private readonly Argument<string> _model = new("model") { Description = "A checkpoint (a folder or a .gguf file; it is compressed once, to a cache) or a factored model." };
    private readonly Option<string> _text = new("--text") { Description = "The text, a UTF-8 file.", HelpName = "file", Required = true };
    private readonly Option<int?> _skip = new Option<int?>("--skip") { Description = "Tokens of the text to leave out at its beginning. Default: 0.", HelpName = "n" }.Between(0, int.MaxValue);
    private readonly Option<int?> _tokens = new Option<int?>("--tokens") { Description = "Tokens to score, at most. Default: 4096.", HelpName = "n" }.Between(1, int.MaxValue);
    private readonly Option<int?> _chunk = new Option<int?>("--chunk") { Description = "Tokens of a chunk. Default: 256.", HelpName = "n" }.Between(1, 1 << 20);
    private readonly Option<int?> _start = new Option<int?>("--start-token")
    {
        Description = "Id of the token in front of each chunk. Default: the model's begin token; where it has none, <|endoftext|>, its pad token or its end token.",
        HelpName = "id",
    }.Between(0, int.MaxValue);

    private readonly Option<string?> _weights = CommonOptions.Weights();
    private readonly Option<int?> _threads = CommonOptions.Threads("all cores");
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalCommand()
        : base("eval", "Measure how well a model foresees a text (perplexity).")
    {
        Add(_model);
        foreach (var option in new Option[] { _text, _skip, _tokens, _chunk, _start, _weights, _threads, _json })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var settings = new LocalSettings
        {
            ModelFolder = parse.GetRequiredValue(_model),
            Float32 = parse.GetValue(_weights) is not null,
            Threads = parse.GetValue(_threads) ?? Environment.ProcessorCount,
        };
        var text = await ReadAsync(parse.GetRequiredValue(_text), cancellation);
        using var model = await LocalModel.OpenAsync(settings, cancellation);
        var result = await Screen.WaitingAsync("scoring", () => Task.Factory.StartNew(
            () => Measure(parse, model, settings, text, cancellation), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        if (parse.GetValue(_json))
        {
            Screen.Json(result, ApiJson.Default.EvalResult);
        }
        else
        {
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{Say.Count(result.Tokens, "token")}: {result.MeanNll:0.00000} nats per token, perplexity {result.Perplexity:0.0000}"));
        }

        return ExitCodes.Ok;
    }

    private EvalResult Measure(ParseResult parse, IModelSource model, LocalSettings settings, string text, CancellationToken cancellation)
    {
        var start = parse.GetValue(_start) ?? StartToken.Of(model.Shape, ModelTokenizer.Load(model.Folder), model.Folder);
        using var team = new ComputeTeam(settings.Threads);
        var result = Evaluator.Run(
            model, text, new EvalSettings(start, parse.GetValue(_skip) ?? 0, parse.GetValue(_tokens) ?? 4096, parse.GetValue(_chunk) ?? 256), team, null, cancellation);
        return new EvalResult(result.Tokens, result.MeanNll, result.Perplexity);
    }

    private static async Task<string> ReadAsync(string file, CancellationToken cancellation)
    {
        if (!File.Exists(file))
        {
            throw new UserErrorException($"There is no file {file}.");
        }

        if (new FileInfo(file).Length > MostBytes)
        {
            throw new UserErrorException($"{file} has more than {MostBytes} bytes.");
        }

        var text = await File.ReadAllTextAsync(file, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), cancellation);
        return text.Length > 0 ? text : throw new UserErrorException($"{file} is empty.");
    }
}
