using System.CommandLine;
using EFedLLM.Actors.Configuration;
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
    private static readonly TimeSpan LeastLimit = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostLimit = TimeSpan.FromDays(1);

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

    private readonly Option<string?> _versus = new("--vs")
    {
        Description = "A llama-bench, or a program that understands its command line: measure this process and it in turn, and print the ratios.",
        HelpName = "program",
    };

    private readonly Option<string?> _versusModel = new("--vs-model")
    {
        Description = "The model that --vs measures, in the shape of ours. Default: --model, where it is a .gguf file.",
        HelpName = "file",
    };

    private readonly Option<string> _versusLimit = new("--vs-limit")
    {
        Description = "How long a run of --vs may take before it is ended.",
        HelpName = "time",
        DefaultValueFactory = _ => "10m",
    };

    private readonly Option<bool> _explain = new("--explain")
    {
        Description = "Say instead what bounds the speed here: caches, measured bandwidth, registers, instructions, blocking, and bytes per token against the lower bound.",
    };

    private readonly Option<string?> _memory = new("--memory")
    {
        Description = "Memory of each process for weights and caches, for example 256MB: what a device that reads layers from disk for every token costs. Default: enough for all.",
        HelpName = "size",
    };

    private readonly Option<bool> _speculate = new("--speculate")
    {
        Description = "Measure instead what guessing tokens ahead gains: answers with and without in turn, in a conversation that asks again what was answered and on a story that is drawn freely. Default: 2 devices, 3 repetitions.",
    };

    private readonly Option<int?> _hopDelay = new Option<int?>("--hop-delay") { Description = "For --speculate: milliseconds added to each hop, as over a slow network. Default: 0.", HelpName = "ms" }.Between(0, (int)NodeLimits.MostSendDelay.TotalMilliseconds);

    private readonly Option<int?> _prompt = new Option<int?>("--prompt-tokens") { Description = "Tokens of the prompt. Default: 128.", HelpName = "n" }.Between(1, 1 << 16);
    private readonly Option<int?> _decode = new Option<int?>("--decode-tokens") { Description = "Tokens generated. Default: 64.", HelpName = "n" }.Between(1, 1 << 16);
    private readonly Option<int?> _sessions = new Option<int?>("--sessions") { Description = "Measure also so many sessions that generate at once in this process: all their tokens. Default: 1.", HelpName = "n" }.Between(1, 256);
    private readonly Option<int?> _repetitions = new Option<int?>("--repetitions", "-r") { Description = "Repetitions that count; one more goes before them. Default: 5.", HelpName = "n" }.Between(1, 1000);
    private readonly Option<string> _format = new("--format") { Description = "How the result is printed.", HelpName = "table|json|csv|md", DefaultValueFactory = _ => "table" };
    private readonly Option<bool> _json = new("--json") { Description = "The same as --format json." };

    public BenchCommand()
        : base("bench", "Measure tokens per second, bytes per token and the time of a hop, in this process and over devices on this machine; or what trust costs there, what guessing ahead gains, how another program compares, or what bounds the speed.")
    {
        _shape.AcceptOnlyFromAmong([.. KnownShapes.Names]);
        _bits.AcceptOnlyFromAmong("8", "6", "5", "4");
        _format.AcceptOnlyFromAmong("table", "json", "csv", "md");
        foreach (var option in new Option[] { _model, _shape, _bits, _devices, _threads, _trust, _versus, _versusModel, _versusLimit, _explain, _speculate, _hopDelay, _memory, _prompt, _decode, _sessions, _repetitions, _format, _json })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        Check(parse);
        var settings = new BenchSettings();
        settings = settings with
        {
            PromptTokens = parse.GetValue(_prompt) ?? settings.PromptTokens,
            DecodeTokens = parse.GetValue(_decode) ?? settings.DecodeTokens,
            Sessions = parse.GetValue(_sessions) ?? settings.Sessions,
            Repetitions = parse.GetValue(_repetitions) ?? settings.Repetitions,
            MemoryBytes = parse.GetValue(_memory) is { } memory ? ByteSize.Parse(memory, _memory.Name) : null,
        };
        var threads = Counts(parse, _threads, [1, 2], 1024);
        var devices = Counts(parse, _devices, [1, 2, 4], 64);
        if (threads.Count == 0 && (parse.GetValue(_versus) is not null || parse.GetValue(_explain)))
        {
            throw new UserErrorException("--vs and --explain need at least one thread: --threads 1.", ExitCodes.Usage);
        }

        if (devices.Count == 0 && new[] { _trust, _speculate }.FirstOrDefault(option => parse.GetValue(option)) is { } measured)
        {
            throw new UserErrorException($"{measured.Name} needs at least one device: --devices 1.", ExitCodes.Usage);
        }

        var peer = parse.GetValue(_versus) is { } program ? new PeerProgram(program, VersusModel(parse), Lifetime.Parse(parse.GetRequiredValue(_versusLimit), _versusLimit.Name, LeastLimit, MostLimit)) : null;
        var scratch = Directory.CreateTempSubdirectory("efedllm-bench-");
        try
        {
            using var model = FactoredModel.Open(await FolderAsync(parse, scratch.FullName, cancellation));
            if (settings.PromptTokens + settings.DecodeTokens + 1 > model.Shape.ContextLength)
            {
                throw new UserErrorException($"The model's context is {model.Shape.ContextLength} tokens: choose fewer --prompt-tokens and --decode-tokens.", ExitCodes.Usage);
            }

            if (parse.GetValue(_explain))
            {
                var facts = await ComputeAsync("measuring the bandwidth of memory", () => Explanation.Of(model, threads, settings, cancellation));
                Print(parse, () => Screen.Json(facts, ApiJson.Default.ExplainFacts), Table, Table, Table);
                return ExitCodes.Ok;

                void Table() => ExplainTables.Print(facts);
            }

            if (peer is not null)
            {
                var report = await MeasureVersusAsync(model, peer, threads, settings, cancellation);
                Print(parse, () => Screen.Json(report, ApiJson.Default.VersusReport), () => VersusTables.Csv(report), () => VersusTables.Markdown(report), () => VersusTables.Table(report));
                return ExitCodes.Ok;
            }

            if (parse.GetValue(_trust))
            {
                var trust = await MeasureTrustAsync(model, Counts(parse, _devices, [8], 64), scratch.FullName, settings with { Repetitions = parse.GetValue(_repetitions) ?? 20 }, cancellation);
                Print(
                    parse,
                    () => Screen.Json(trust, ApiJson.Default.IReadOnlyListTrustSample),
                    () => TrustBenchTables.Csv(trust),
                    () => TrustBenchTables.Markdown(trust),
                    () => TrustBenchTables.Table(model, trust));
                return ExitCodes.Ok;
            }

            if (parse.GetValue(_speculate))
            {
                var drafts = await MeasureDraftsAsync(model, Counts(parse, _devices, [2], 64), TimeSpan.FromMilliseconds(parse.GetValue(_hopDelay) ?? 0), scratch.FullName, settings with { Repetitions = parse.GetValue(_repetitions) ?? 3 }, cancellation);
                Print(
                    parse,
                    () => Screen.Json(drafts, ApiJson.Default.IReadOnlyListDraftSample),
                    () => DraftTables.Csv(drafts),
                    () => DraftTables.Markdown(drafts),
                    () => DraftTables.Table(model, drafts));
                return ExitCodes.Ok;
            }

            var samples = await MeasureAsync(model, threads, devices, scratch.FullName, settings, cancellation);
            Print(parse, () => Screen.Json(samples, ApiJson.Default.IReadOnlyListBenchSample), () => BenchTables.Csv(samples), () => BenchTables.Markdown(samples), () => BenchTables.Table(model, samples));
        }
        finally
        {
            scratch.Delete(recursive: true);
        }

        return ExitCodes.Ok;
    }

    private void Check(ParseResult parse)
    {
        if (parse.GetValue(_shape) is not null && parse.GetValue(_model) is not null)
        {
            throw new UserErrorException("--shape and --model exclude each other.", ExitCodes.Usage);
        }

        if (parse.GetValue(_shape) is null && parse.GetResult(_bits) is { Implicit: false })
        {
            throw new UserErrorException("--bits is for --shape: a model's weights have the bits it was compressed to.", ExitCodes.Usage);
        }

        if (new Option[] { _trust, _speculate }.FirstOrDefault(option => parse.GetResult(option) is { Implicit: false }) is { } cluster && parse.GetResult(_threads) is { Implicit: false })
        {
            throw new UserErrorException($"--threads is for measurements in this process; {cluster.Name} measures devices.", ExitCodes.Usage);
        }

        if (!parse.GetValue(_speculate) && parse.GetResult(_hopDelay) is { Implicit: false })
        {
            throw new UserErrorException("--hop-delay is for --speculate.", ExitCodes.Usage);
        }

        Option[] kinds = [_trust, _versus, _explain, _speculate];
        if (kinds.Where(kind => parse.GetResult(kind) is { Implicit: false }).Select(kind => kind.Name).ToList() is [var first, var second, ..])
        {
            throw new UserErrorException($"{first} and {second} exclude each other: each is a measurement of its own.", ExitCodes.Usage);
        }

        if (parse.GetResult(_sessions) is { Implicit: false } && kinds.FirstOrDefault(kind => parse.GetResult(kind) is { Implicit: false }) is { } measured)
        {
            throw new UserErrorException($"--sessions is for measurements of tokens per second in this process: {measured.Name} has no place for it.", ExitCodes.Usage);
        }

        if (parse.GetValue(_memory) is not null && kinds.FirstOrDefault(kind => parse.GetResult(kind) is { Implicit: false }) is { } other)
        {
            throw new UserErrorException($"--memory has no place beside {other.Name}.", ExitCodes.Usage);
        }

        if (parse.GetValue(_speculate) && parse.GetResult(_prompt) is { Implicit: false })
        {
            throw new UserErrorException("--prompt-tokens has no place beside --speculate, which asks questions of its own.", ExitCodes.Usage);
        }

        if (parse.GetValue(_versus) is null && new Option[] { _versusModel, _versusLimit }.FirstOrDefault(option => parse.GetResult(option) is { Implicit: false }) is { } lost)
        {
            throw new UserErrorException($"{lost.Name} is for --vs.", ExitCodes.Usage);
        }

        if ((parse.GetValue(_versus) is not null || parse.GetValue(_explain)) && parse.GetResult(_devices) is { Implicit: false })
        {
            throw new UserErrorException("--vs and --explain are about this process: --devices has no place there.", ExitCodes.Usage);
        }

        if (parse.GetValue(_explain) && parse.GetRequiredValue(_format) is "csv" or "md")
        {
            throw new UserErrorException("--explain is printed as a table or as json.", ExitCodes.Usage);
        }
    }

    private string VersusModel(ParseResult parse)
    {
        if (parse.GetValue(_versusModel) is { } file)
        {
            return file;
        }

        return parse.GetValue(_model) is { } own && own.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)
            ? own
            : throw new UserErrorException("--vs needs a model file that the program reads: give it with --vs-model.", ExitCodes.Usage);
    }

    private static async Task<List<BenchSample>> MeasureAsync(
        FactoredModel model, IReadOnlyList<int> threads, IReadOnlyList<int> devices, string scratch, BenchSettings settings, CancellationToken cancellation)
    {
        var samples = new List<BenchSample>();
        foreach (var count in threads)
        {
            samples.AddRange(await ComputeAsync($"measuring this process with {Say.Count(count, "thread")}", () => ProcessBench.Run(model, count, settings, cancellation)));
        }

        foreach (var count in devices)
        {
            samples.AddRange(await Screen.WaitingAsync(
                $"measuring {Say.Count(count, "device")}",
                () => ClusterBench.RunAsync(model, count, Path.Combine(scratch, $"devices-{count}"), settings, counting: false, cancellation)));
        }

        if (devices.Any(count => count > 1))
        {
            samples.Add(await Screen.WaitingAsync("measuring hops alone", () => HopBench.RunAsync(Path.Combine(scratch, "hops"), settings with { MemoryBytes = null }, cancellation)));
            samples.Add(await Screen.WaitingAsync("measuring how soon a device serves", () => JoinBench.RunAsync(model, Path.Combine(scratch, "join"), settings, cancellation)));
        }

        return samples;
    }

    private static async Task<VersusReport> MeasureVersusAsync(
        FactoredModel model, PeerProgram peer, IReadOnlyList<int> threads, BenchSettings settings, CancellationToken cancellation)
    {
        if (VersusBench.CheckShape(model.Shape, peer.Model) is { } doubt)
        {
            Screen.Note(doubt);
        }

        return await Screen.WaitingAsync($"measuring this process and {peer.Name} in turn", () => VersusBench.RunAsync(model, peer, threads, settings, cancellation));
    }

    /// <summary>Computes on a thread of its own, which the pool does not miss.</summary>
    private static Task<T> ComputeAsync<T>(string what, Func<T> compute) =>
        Screen.WaitingAsync(what, () => Task.Factory.StartNew(compute, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));

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

    private static async Task<List<DraftSample>> MeasureDraftsAsync(
        FactoredModel model, IReadOnlyList<int> devices, TimeSpan hopDelay, string scratch, BenchSettings settings, CancellationToken cancellation)
    {
        var samples = new List<DraftSample>();
        foreach (var count in devices)
        {
            samples.AddRange(await Screen.WaitingAsync(
                $"measuring guesses over {Say.Count(count, "device")}",
                () => DraftBench.RunAsync(model, count, hopDelay, Path.Combine(scratch, $"drafts-{count}"), settings, cancellation)));
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

    private void Print(ParseResult parse, Action json, Action csv, Action markdown, Action table)
    {
        var print = parse.GetValue(_json) ? json : parse.GetRequiredValue(_format) switch
        {
            "json" => json,
            "csv" => csv,
            "md" => markdown,
            _ => table,
        };
        print();
    }

    private static IReadOnlyList<int> Counts(ParseResult parse, Option<int[]> option, IReadOnlyList<int> @default, int most)
    {
        var given = parse.GetValue(option) is { Length: > 0 } counts ? counts : @default;
        return given.All(count => count >= 0 && count <= most)
            ? [.. given.Where(count => count > 0).Distinct()]
            : throw new UserErrorException($"{option.Name} must be whole numbers from 0 to {most}.", ExitCodes.Usage);
    }
}
