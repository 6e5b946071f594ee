using System.CommandLine;
using EFedLLM.Compression;
using EFedLLM.Node.Api;
using EFedLLM.Node.Bench;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm bench</c>: how fast a model runs here, in one process and over devices.</summary>
internal sealed class BenchCommand : Command
{
    private static readonly double[] CheckedShares = [0.05, 1];

    private readonly Option<string?> _model = CommonOptions.ModelFolder();
    private readonly Option<string?> _shape = new("--shape")
    {
        Description = "Instead of a model: random weights in the shape of a well-known size.",
        HelpName = string.Join('|', KnownShapes.Names),
    };

    private readonly Option<int> _bits = new("--bits")
    {
        Description = "Bits of a weight of --shape.",
        HelpName = "8|6|5|4",
        DefaultValueFactory = _ => 8,
    };

    private readonly Option<int[]> _devices = new("--devices", "-d")
    {
        Description = "Numbers of device processes to measure, each with one thread; 0 is none. Default: 1 2 4.",
        HelpName = "n",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<int[]> _threads = new("--threads", "-t")
    {
        Description = "Numbers of threads to measure in this process; 0 is none. Default: 1 2.",
        HelpName = "n",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<bool> _trust = new("--trust")
    {
        Description = "Measure what trust costs instead: receipts alone, and checks of 5 % and of all units, each side by side with a cluster without trust. Default: 8 devices, 20 repetitions.",
    };

    private readonly Option<int?> _prompt = new Option<int?>("--prompt-tokens") { Description = "Tokens of the prompt. Default: 128.", HelpName = "n" }.Between(1, 1 << 16);
    private readonly Option<int?> _decode = new Option<int?>("--decode-tokens") { Description = "Tokens generated. Default: 64.", HelpName = "n" }.Between(1, 1 << 16);
    private readonly Option<int?> _repetitions = new Option<int?>("--repetitions", "-r") { Description = "Repetitions that count; one more goes before them. Default: 5.", HelpName = "n" }.Between(1, 1000);
    private readonly Option<string> _format = new("--format") { Description = "How the result is printed.", HelpName = "table|json|csv|md", DefaultValueFactory = _ => "table" };
    private readonly Option<bool> _json = new("--json") { Description = "The same as --format json." };

    public BenchCommand()
        : base("bench", "Measure tokens per second, bytes per token and the time of a hop, in this process and over devices on this machine; or what trust costs there.")
    {
        _shape.AcceptOnlyFromAmong([.. KnownShapes.Names]);
        _bits.AcceptOnlyFromAmong("8", "6", "5", "4");
        _format.AcceptOnlyFromAmong("table", "json", "csv", "md");
        foreach (var option in new Option[] { _model, _shape, _bits, _devices, _threads, _trust, _prompt, _decode, _repetitions, _format, _json })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        if (parse.GetValue(_shape) is not null && parse.GetValue(_model) is not null)
        {
            throw new UserErrorException("--shape and --model exclude each other.", ExitCodes.Usage);
        }

        if (parse.GetValue(_shape) is null && parse.GetResult(_bits) is { Implicit: false })
        {
            throw new UserErrorException("--bits is for --shape: a model's weights have the bits it was compressed to.", ExitCodes.Usage);
        }

        if (parse.GetValue(_trust) && parse.GetResult(_threads) is { Implicit: false })
        {
            throw new UserErrorException("--threads is for measurements in this process; --trust measures devices, each with one thread.", ExitCodes.Usage);
        }

        var settings = new BenchSettings();
        settings = settings with
        {
            PromptTokens = parse.GetValue(_prompt) ?? settings.PromptTokens,
            DecodeTokens = parse.GetValue(_decode) ?? settings.DecodeTokens,
            Repetitions = parse.GetValue(_repetitions) ?? settings.Repetitions,
        };
        var threads = Counts(parse, _threads, [1, 2], 1024);
        var devices = Counts(parse, _devices, [1, 2, 4], 64);
        var scratch = Directory.CreateTempSubdirectory("efedllm-bench-");
        try
        {
            using var model = FactoredModel.Open(await FolderAsync(parse, scratch.FullName, cancellation));
            if (settings.PromptTokens + settings.DecodeTokens + 1 > model.Shape.ContextLength)
            {
                throw new UserErrorException($"The model's context is {model.Shape.ContextLength} tokens: choose fewer --prompt-tokens and --decode-tokens.", ExitCodes.Usage);
            }

            if (parse.GetValue(_trust))
            {
                Print(parse, model, await MeasureTrustAsync(model, Counts(parse, _devices, [8], 64), scratch.FullName, settings with { Repetitions = parse.GetValue(_repetitions) ?? 20 }, cancellation));
                return ExitCodes.Ok;
            }

            Print(parse, model, await MeasureAsync(model, threads, devices, scratch.FullName, settings, cancellation));
        }
        finally
        {
            scratch.Delete(recursive: true);
        }

        return ExitCodes.Ok;
    }

    private static async Task<List<BenchSample>> MeasureAsync(
        FactoredModel model, IReadOnlyList<int> threads, IReadOnlyList<int> devices, string scratch, BenchSettings settings, CancellationToken cancellation)
    {
        var samples = new List<BenchSample>();
        foreach (var count in threads)
        {
            samples.AddRange(await Screen.WaitingAsync(
                $"measuring this process with {Say.Count(count, "thread")}",
                () => Task.Factory.StartNew(() => ProcessBench.Run(model, count, settings, cancellation), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        }

        foreach (var count in devices)
        {
            samples.AddRange(await Screen.WaitingAsync(
                $"measuring {Say.Count(count, "device")}",
                () => ClusterBench.RunAsync(model, count, Path.Combine(scratch, $"devices-{count}"), settings, cancellation)));
        }

        if (devices.Any(count => count > 1))
        {
            samples.Add(await Screen.WaitingAsync("measuring hops alone", () => HopBench.RunAsync(Path.Combine(scratch, "hops"), settings, cancellation)));
        }

        return samples;
    }

    private static async Task<List<TrustSample>> MeasureTrustAsync(
        FactoredModel model, IReadOnlyList<int> devices, string scratch, BenchSettings settings, CancellationToken cancellation)
    {
        var samples = new List<TrustSample>();
        foreach (var count in devices)
        {
            samples.AddRange(await Screen.WaitingAsync(
                $"measuring trust over {Say.Count(count, "device")}",
                () => TrustBench.RunAsync(model, count, CheckedShares, scratch, settings, cancellation)));
        }

        return samples;
    }

    private async Task<string> FolderAsync(ParseResult parse, string scratch, CancellationToken cancellation)
    {
        if (parse.GetValue(_shape) is not { } shape)
        {
            return await ModelPreparation.FactoredAsync(parse.GetValue(_model), cancellation);
        }

        var bits = parse.GetValue(_bits);
        return await CompressionBar.RunAsync(
            $"writing random weights of {bits} bits in the shape {shape}",
            progress => BenchModel.Write(KnownShapes.Find(shape), Path.Combine(scratch, "model"), bits, $"random-{shape}", progress, cancellation));
    }

    private void Print(ParseResult parse, FactoredModel model, IReadOnlyList<BenchSample> samples)
    {
        switch (parse.GetValue(_json) ? "json" : parse.GetRequiredValue(_format))
        {
            case "json":
                Screen.Json(samples, ApiJson.Default.IReadOnlyListBenchSample);
                break;
            case "csv":
                BenchTables.Csv(samples);
                break;
            case "md":
                BenchTables.Markdown(samples);
                break;
            default:
                BenchTables.Table(model, samples);
                break;
        }
    }

    private void Print(ParseResult parse, FactoredModel model, IReadOnlyList<TrustSample> samples)
    {
        switch (parse.GetValue(_json) ? "json" : parse.GetRequiredValue(_format))
        {
            case "json":
                Screen.Json(samples, ApiJson.Default.IReadOnlyListTrustSample);
                break;
            case "csv":
                TrustBenchTables.Csv(samples);
                break;
            case "md":
                TrustBenchTables.Markdown(samples);
                break;
            default:
                TrustBenchTables.Table(model, samples);
                break;
        }
    }

    private static IReadOnlyList<int> Counts(ParseResult parse, Option<int[]> option, IReadOnlyList<int> @default, int most)
    {
        var given = parse.GetValue(option) is { Length: > 0 } counts ? counts : @default;
        return given.All(count => count >= 0 && count <= most)
            ? [.. given.Where(count => count > 0).Distinct()]
            : throw new UserErrorException($"{option.Name} must be whole numbers from 0 to {most}.", ExitCodes.Usage);
    }
}
