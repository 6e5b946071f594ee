using System.CommandLine;
using System.Globalization;
using System.Text;
using EFedLLM.Compression;
using EFedLLM.Compression.Evaluation;
using EFedLLM.Node.Api;
using EFedLLM.Node.Local;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Node.CommandLine;

/// <summary>
/// <c>efedllm eval</c>: how well models foresee a text, alone or side by side. The whole file is encoded without a begin token; the
/// tokens are cut into chunks, each fed by itself behind a start token (<see cref="Models.StartToken"/>), and every token of a chunk is scored.
/// </summary>
internal sealed class EvalCommand : Command
{
    private const long MostBytes = 1L << 30;
    private const int DefaultTokens = 4096;
    private const int DefaultChunk = 256;

    private readonly Argument<string[]> _models = new("model")
    {
        Description = "Model folders, one or more: factored models or checkpoints. In a comparison a checkpoint computes in float32; alone it is compressed once, to a cache, unless --weights says otherwise.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _text = new("--text") { Description = "The text, a UTF-8 file.", HelpName = "file" };
    private readonly Option<string?> _reference = new("--reference")
    {
        Description = "The model that the others are compared with. Default: the first checkpoint among them, else the first of them.",
        HelpName = "model",
    };

    private readonly Option<string?> _gate = new("--gate")
    {
        Description = $"Limits that every compared model must keep, for example max-ppl=1%,max-kl=0.01; a broken one ends with exit code 1. There are: {string.Join("; ", EvalGate.Keys.Select(known => $"{known.Key} ({known.Meaning})"))}.",
        HelpName = "limits",
    };

    private readonly Option<string?> _html = new("--html") { Description = "Write the comparison as a page with plots that needs nothing but itself.", HelpName = "file" };
    private readonly Option<int?> _skip = new Option<int?>("--skip") { Description = "Tokens of the text to leave out at its beginning. Default: 0.", HelpName = "n" }.Between(0, int.MaxValue);
    private readonly Option<int?> _tokens = new Option<int?>("--tokens") { Description = $"Tokens to score, at most. Default: {DefaultTokens}.", HelpName = "n" }.Between(1, int.MaxValue);
    private readonly Option<int?> _chunk = new Option<int?>("--chunk") { Description = $"Tokens of a chunk. Default: {DefaultChunk}.", HelpName = "n" }.Between(1, 1 << 20);
    private readonly Option<int?> _start = new Option<int?>("--start-token")
    {
        Description = "Id of the token in front of each chunk. Default: the model's begin token; where it has none, <|endoftext|>, its pad token or its end token.",
        HelpName = "id",
    }.Between(0, int.MaxValue);

    private readonly Option<string?> _weights = CommonOptions.Weights();
    private readonly Option<int?> _threads = CommonOptions.Threads("all cores");
    private readonly Option<string> _format = new("--format") { Description = "How a comparison is printed.", HelpName = "table|json|csv|md", DefaultValueFactory = _ => "table" };
    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print the result as JSON, for scripts: a list with an object for each model; a single object for one model without --reference, --gate, --html or --format.",
    };

    public EvalCommand()
        : base("eval", "Measure how well models foresee a text (perplexity), and compare them with a reference: KL divergence, agreement, bits, bytes and speed.")
    {
        _format.AcceptOnlyFromAmong("table", "json", "csv", "md");
        Add(_models);
        foreach (var option in new Option[] { _text, _reference, _gate, _html, _skip, _tokens, _chunk, _start, _weights, _threads, _format, _json })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var models = parse.GetRequiredValue(_models);
        var gate = parse.GetValue(_gate) is { } limits ? EvalGate.Parse(limits) : null;
        var file = parse.GetValue(_text) ?? throw new UserErrorException("There is nothing to measure on: name a text with --text.", ExitCodes.Usage);
        var part = new EvalPart(
            parse.GetValue(_skip) ?? 0, parse.GetValue(_tokens) ?? DefaultTokens, parse.GetValue(_chunk) ?? DefaultChunk, parse.GetValue(_start));
        var isAlone = models.Length == 1 && new Option[] { _reference, _gate, _html, _format }.All(option => parse.GetResult(option) is null or { Implicit: true });
        return isAlone
            ? await AloneAsync(parse, models[0], file, part, cancellation)
            : await ComparedAsync(parse, models, file, part, gate, cancellation);
    }

    private async Task<int> AloneAsync(ParseResult parse, string folder, string file, EvalPart part, CancellationToken cancellation)
    {
        var settings = new LocalSettings { ModelFolder = folder, Float32 = parse.GetValue(_weights) is not null, Threads = Threads(parse) };
        var text = await ReadAsync(file, cancellation);
        using var model = await LocalModel.OpenAsync(settings, cancellation);
        var scored = ScoredText.Encode(model.Folder, text, part.Skip, part.Tokens);
        SayIfShort(parse, scored);
        var result = await WithBarAsync(scored, progress => Measure(folder, model, scored, part, settings.Threads, progress, cancellation));
        if (parse.GetValue(_json))
        {
            Screen.Json(result, ApiJson.Default.EvalResult);
            return ExitCodes.Ok;
        }

        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{Say.Count(result.Tokens, "token")}: {result.MeanNll:0.00000} nats per token, perplexity {result.Perplexity:0.0000}"));
        Console.Out.WriteLine(
            $"{ClusterTables.Bits(result.BitsPerWeight)} bits per weight and {Say.Bytes(result.BytesPerToken)} as read per token, {Say.Rate(result.TokensPerSecond)} decoded");
        return ExitCodes.Ok;
    }

    private async Task<int> ComparedAsync(ParseResult parse, string[] named, string file, EvalPart part, EvalGate? gate, CancellationToken cancellation)
    {
        var (format, page) = (parse.GetValue(_json) ? "json" : parse.GetRequiredValue(_format), parse.GetValue(_html));
        using var models = await EvalModels.OpenAsync(named, parse.GetValue(_reference), cancellation);
        Check(gate, models);
        var text = await ReadAsync(file, cancellation);
        var scored = models.Encode(text, part.Skip, part.Tokens);
        SayIfShort(parse, scored);
        var rows = await WithBarAsync(
            scored, progress => EvalComparison.OnText(models, scored, part, page is not null || format == "json", Threads(parse), progress, cancellation));
        var report = new EvalReport(rows, models.ReferenceIsExtra, Path.GetFileName(file), scored.Sha256, part.Chunk)
        {
            Broken = gate is null ? null : [.. rows.Where(row => rows.Count == 1 || !row.IsReference).SelectMany(row => gate.Broken(row, rows[models.Reference]))],
        };
        if (page is not null)
        {
            await File.WriteAllTextAsync(page, EvalPage.Render(report), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), cancellation);
        }

        Print(report, format);
        return report.Broken is { Count: > 0 } ? ExitCodes.Failed : ExitCodes.Ok;
    }

    private static void Print(EvalReport report, string format)
    {
        switch (format)
        {
            case "json":
                Screen.Json(report.ToJson(), ApiJson.Default.IReadOnlyListEvalRow);
                break;
            case "csv":
                EvalTable.Csv(report);
                break;
            case "md":
                EvalTable.Markdown(report);
                break;
            default:
                EvalTable.Print(report);
                break;
        }

        foreach (var broken in report.Broken ?? [])
        {
            Screen.Error(broken);
        }
    }

    private static EvalResult Measure(
        string folder, IModelSource model, ScoredText text, EvalPart part, int threads, IProgress<int> progress, CancellationToken cancellation)
    {
        using var team = new ComputeTeam(threads);
        using var shard = TransformerShard.Load(model, LayerRange.Whole(model.Shape.Layers));
        var scores = SideBySide.Measure(shard, [], text.Tokens, EvalComparison.StartOf(model, part), part.Chunk, team, progress, cancellation)[0];
        var speed = DecodeSpeed.Measure(shard, text.Tokens, team, cancellation);
        return new EvalResult(
            scores.Tokens, scores.MeanNll, scores.Perplexity, EvalModels.NamesOf([Path.GetFullPath(folder)])[0], EvalComparison.BitsOf(shard), shard.WeightBytesPerToken, speed);
    }

    /// <summary>A limit against a reference that is the only model would always be kept, which a team that relies on it must not be told.</summary>
    private static void Check(EvalGate? gate, EvalModels models)
    {
        if (models.Sources.Count == 1 && gate?.Limits.FirstOrDefault(limit => limit.NeedsReference) is { } limit)
        {
            throw new UserErrorException($"{limit.Key} needs another model to compare with: name one with --reference.", ExitCodes.Usage);
        }

        if (gate?.Limits.FirstOrDefault(limit => limit.NeedsLabels) is { } labels)
        {
            throw new UserErrorException($"{labels.Key} needs labelled texts: name them with --sst2.", ExitCodes.Usage);
        }
    }

    private static Task<T> WithBarAsync<T>(ScoredText text, Func<IProgress<int>, T> work) => CompressionBar.RunAsync("measuring", bar =>
        work(new ImmediateProgress<int>(scored => bar.Report(new CompressionProgress(0, 0, scored, text.Tokens.Length, "the text")))));

    private int Threads(ParseResult parse) => parse.GetValue(_threads) ?? Environment.ProcessorCount;

    private void SayIfShort(ParseResult parse, ScoredText text)
    {
        if (parse.GetValue(_tokens) is { } asked && text.Tokens.Length < asked)
        {
            Screen.Note($"The text has {Say.Count(text.Length, "token")}: {text.Tokens.Length} of the {asked} asked for are scored.");
        }
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
