using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
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
        Description = "One or more models: folders of factored models or checkpoints, or .gguf files. In a comparison a checkpoint computes in float32; alone it is compressed once, to a cache, unless --weights says otherwise.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _text = new("--text") { Description = "The text, a UTF-8 file.", HelpName = "file" };
    private readonly Option<string?> _labels = new("--sst2")
    {
        Description = "Labelled texts for classifiers (BERT), tab-separated as SST-2's dev.tsv: measures their accuracy.",
        HelpName = "tsv",
    };

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
    private readonly Option<int?> _devices = new Option<int?>("--devices", "-d")
    {
        Description = "Measure factored models on a cluster of so many device processes too: checks that it computes the same to the last bit, and how fast.",
        HelpName = "n",
    }.Between(1, 64);

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
        Description = "Print the result as JSON, for scripts: a list with an object for each model; a single object for one model without --sst2, --reference, --gate, --html, --devices or --format.",
    };

    public EvalCommand()
        : base("eval", "Measure how well models foresee a text (perplexity), or classify, and compare them with a reference: KL divergence, agreement, bits, bytes and speed.")
    {
        _format.AcceptOnlyFromAmong("table", "json", "csv", "md");
        Add(_models);
        foreach (var option in new Option[] { _text, _labels, _reference, _gate, _html, _devices, _skip, _tokens, _chunk, _start, _weights, _threads, _format, _json })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var models = parse.GetRequiredValue(_models);
        var gate = parse.GetValue(_gate) is { } limits ? EvalGate.Parse(limits) : null;
        var part = new EvalPart(
            parse.GetValue(_skip) ?? 0, parse.GetValue(_tokens) ?? DefaultTokens, parse.GetValue(_chunk) ?? DefaultChunk, parse.GetValue(_start));
        var isAlone = models.Length == 1 && new Option[] { _labels, _reference, _gate, _html, _devices, _format }.All(option => parse.GetResult(option) is null or { Implicit: true });
        if (parse.GetValue(_text) is null && parse.GetValue(_labels) is null)
        {
            throw new UserErrorException("There is nothing to measure on: name a text with --text, or for classifiers labelled texts with --sst2.", ExitCodes.Usage);
        }

        return isAlone ? await AloneAsync(parse, models[0], part, cancellation) : await ComparedAsync(parse, models, part, gate, cancellation);
    }

    private async Task<int> AloneAsync(ParseResult parse, string folder, EvalPart part, CancellationToken cancellation)
    {
        var settings = new LocalSettings { ModelFolder = folder, Float32 = parse.GetValue(_weights) is not null, Threads = Threads(parse) };
        var text = await ReadAsync(parse.GetRequiredValue(_text)!, cancellation);
        using var model = await LocalModel.OpenAsync(settings, cancellation);
        CheckKind(model, parse);
        var scored = ScoredText.Encode(model.Folder, text, part.Skip, part.Tokens);
        SayIfShort(parse, scored);
        var result = await WithBarAsync(scored.Tokens.Length, progress => Measure(folder, model, scored, part, settings.Threads, progress, cancellation));
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

    private async Task<int> ComparedAsync(ParseResult parse, string[] named, EvalPart part, EvalGate? gate, CancellationToken cancellation)
    {
        using var models = await EvalModels.OpenAsync(named, parse.GetValue(_reference), cancellation);
        foreach (var model in models.Sources)
        {
            CheckKind(model, parse);
        }

        var classify = models.Sources[0].Shape.Encoder is not null;
        if (models.Sources.Any(model => model.Shape.Encoder is not null != classify))
        {
            throw new UserErrorException("Some of the models classify and some predict tokens: measure them apart.", ExitCodes.Usage);
        }

        Check(gate, models, classify);
        if (parse.GetValue(_devices) is not null && !models.Sources.Any(model => model is FactoredModel { Shape.Encoder: null }))
        {
            throw new UserErrorException("--devices is for factored models that predict tokens: make one with efedllm compress.", ExitCodes.Usage);
        }

        var report = classify ? await OnLabelsAsync(parse, models, cancellation) : await OnTextAsync(parse, models, part, cancellation);
        var (rows, reference) = (report.Rows, report.Reference);
        report = report with
        {
            Broken = gate is null ? null : [.. rows.Where(row => row.Devices == 0 && (models.Sources.Count == 1 || !row.IsReference)).SelectMany(row => gate.Broken(row, reference))],
        };
        if (parse.GetValue(_html) is { } page)
        {
            await File.WriteAllTextAsync(page, EvalPage.Render(report), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), cancellation);
        }

        Print(report, parse.GetValue(_json) ? "json" : parse.GetRequiredValue(_format));
        return report.Broken is { Count: > 0 } ? ExitCodes.Failed : ExitCodes.Ok;
    }

    private async Task<EvalReport> OnTextAsync(ParseResult parse, EvalModels models, EvalPart part, CancellationToken cancellation)
    {
        var file = parse.GetRequiredValue(_text)!;
        var scored = models.Encode(await ReadAsync(file, cancellation), part.Skip, part.Tokens);
        SayIfShort(parse, scored);
        var withLayers = parse.GetValue(_html) is not null || parse.GetValue(_json) || parse.GetValue(_format) == "json";
        var rows = await WithBarAsync(scored.Tokens.Length, progress => EvalComparison.OnText(models, scored, part, withLayers, Threads(parse), progress, cancellation));
        return new EvalReport(await OnDevicesAsync(parse, models, rows, scored, part, cancellation), models.ReferenceIsExtra, Path.GetFileName(file), scored.Sha256, part.Chunk);
    }

    /// <summary>Adds a row behind that of each factored model asked for, where it is to run on devices too.</summary>
    private async Task<IReadOnlyList<ModelEvaluation>> OnDevicesAsync(
        ParseResult parse, EvalModels models, IReadOnlyList<ModelEvaluation> rows, ScoredText text, EvalPart part, CancellationToken cancellation)
    {
        if (parse.GetValue(_devices) is not { } devices)
        {
            return rows;
        }

        var start = EvalComparison.StartOf(models.Sources[models.Reference], part);
        var all = new List<ModelEvaluation>();
        for (var i = 0; i < rows.Count; i++)
        {
            all.Add(rows[i]);
            if (models.Sources[i] is FactoredModel model && !(models.ReferenceIsExtra && i == models.Reference))
            {
                all.Add(await Screen.WaitingAsync(
                    $"measuring {models.Names[i]} on {Say.Count(devices, "device")}", () => EvalCluster.MeasureAsync(model, rows[i], text, start, part, devices, cancellation)));
            }
        }

        return all;
    }

    private async Task<EvalReport> OnLabelsAsync(ParseResult parse, EvalModels models, CancellationToken cancellation)
    {
        var file = parse.GetRequiredValue(_labels)!;
        var texts = LabelledTexts.Read(file);
        var rows = await WithBarAsync(texts.Count * models.Sources.Count, progress => EvalComparison.OnLabels(models, texts, Threads(parse), progress, cancellation));
        return new EvalReport(rows, models.ReferenceIsExtra, Path.GetFileName(file), Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(file, cancellation))), 0);
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

    /// <summary>A model must be able to do what it is to be measured by.</summary>
    private void CheckKind(IModelSource model, ParseResult parse)
    {
        if (model.Shape.Encoder is not null && parse.GetValue(_labels) is null)
        {
            throw new UserErrorException($"{model.Folder} holds an encoder, which predicts no tokens: measure it with --sst2.", ExitCodes.Usage);
        }

        if (model.Shape.Encoder is null && (parse.GetValue(_labels) is not null || parse.GetValue(_text) is null))
        {
            throw new UserErrorException($"{model.Folder} holds a model that predicts tokens and does not classify: measure it with --text, without --sst2.", ExitCodes.Usage);
        }
    }

    /// <summary>A limit against a reference that is the only model would always be kept, which a team that relies on it must not be told.</summary>
    private static void Check(EvalGate? gate, EvalModels models, bool classify)
    {
        foreach (var limit in gate?.Limits ?? [])
        {
            if (models.Sources.Count == 1 && limit.NeedsReference)
            {
                throw new UserErrorException($"{limit.Key} needs another model to compare with: name one with --reference.", ExitCodes.Usage);
            }

            if (classify ? limit.NeedsText : limit.NeedsLabels)
            {
                throw new UserErrorException($"{limit.Key} is nothing that {(classify ? "--sst2" : "--text")} measures.", ExitCodes.Usage);
            }
        }
    }

    private static Task<T> WithBarAsync<T>(int total, Func<IProgress<int>, T> work) => CompressionBar.RunAsync("measuring", bar =>
        work(new ImmediateProgress<int>(done => bar.Report(new CompressionProgress(0, 0, done, total, "the text")))));

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
