using EFedLLM.Compression.Evaluation;
using EFedLLM.Node.Api;
using EFedLLM.Node.Bench;
using EFedLLM.Node.Client;
using EFedLLM.Node.Supervision;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.CommandLine;

/// <summary>
/// Measures a model on a cluster of device processes: the whole text is scored there, token by token, and that must be what this process
/// found. What a cluster computes has the same bits as what this process computes, so what it says of divergences holds for the cluster too;
/// that is not believed but checked: at places all over the text the cluster is asked what comes next, and every token with its probability
/// and those of its alternatives must be the same to the last bit.
/// </summary>
internal static class EvalCluster
{
    private const int Places = 16;
    private const int TokensOfPlace = 8;
    private const int SpeedTokens = 65;
    private const int SpeedPrompt = 16;
    private const int Repetitions = 3;
    private const long SpareMemory = 512L << 20;

    // Nats for a token: each probability travels as a float32 number.
    private const double SameCost = 1e-5;

    private static readonly TimeSpan PlacementLimit = TimeSpan.FromMinutes(5);

    /// <summary>Starts a cluster, checks it against this process and measures how fast it decodes.</summary>
    /// <param name="model">The model.</param>
    /// <param name="row">What this process measured of it.</param>
    /// <param name="text">The text.</param>
    /// <param name="start">The token in front of each chunk.</param>
    /// <param name="part">How the text was scored.</param>
    /// <param name="devices">Number of device processes.</param>
    /// <param name="cancellation">Ends the cluster.</param>
    /// <returns>The scores with the cluster's own perplexity and speed.</returns>
    /// <exception cref="UserErrorException">The cluster does not come up, an answer fails, or it computes something else than this process.</exception>
    public static async Task<ModelEvaluation> MeasureAsync(
        FactoredModel model, ModelEvaluation row, ScoredText text, int start, EvalPart part, int devices, CancellationToken cancellation)
    {
        var data = Directory.CreateTempSubdirectory("efedllm-eval-");
        try
        {
            var plan = new ClusterSettings
            {
                ModelFolder = model.Folder,
                DataFolder = data.FullName,
                Devices = devices,
                // Enough for all of the model on each device, so that memory never decides the plan.
                MemoryBytes = model.Manifest.TotalBytes + SpareMemory,
            };
            await using var cluster = await LocalCluster.StartAsync(plan, cancellation);
            await cluster.WaitUntilPlacedAsync(devices, PlacementLimit, cancellation);
            await using var gateway = new GatewayHttpClient(cluster.Gateway);
            await CheckAsync(gateway, model, Prompts(text.Tokens, start, Math.Min(part.Chunk, model.Shape.ContextLength - TokensOfPlace)), cancellation);
            var cost = await MeanCostAsync(gateway, text.Tokens, start, part.Chunk, devices, cancellation);
            if (!(Math.Abs(cost - row.Scores!.MeanNll) <= SameCost))
            {
                throw new UserErrorException(
                    $"The cluster computes something else than this process: it needs {cost:R} nats for a token, this process {row.Scores.MeanNll:R}.");
            }

            return row with { Devices = devices, Scores = row.Scores with { MeanNll = cost, Perplexity = Math.Exp(cost) }, TokensPerSecond = await SpeedAsync(gateway, model, text.Tokens, start, cancellation), LayerErrors = null };
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }

    /// <summary>Beginnings of chunks all over the text, of lengths from 1 to a whole chunk, each behind the start token.</summary>
    internal static IReadOnlyList<int[]> Prompts(ReadOnlyMemory<int> tokens, int start, int chunk)
    {
        var chunks = (tokens.Length + chunk - 1) / chunk;
        return [.. Enumerable.Range(0, Places).Select(place =>
        {
            var first = place * chunks / Places * chunk;
            var length = Math.Min(1 + place * (chunk - 1) / (Places - 1), Math.Min(chunk, tokens.Length - first));
            return (int[])[start, .. tokens.Span.Slice(first, length - 1)];
        })];
    }

    /// <summary>Mean negative log-likelihood of a token, in nats, as the cluster scores the text: cut and fed as <see cref="PerplexityMeter"/> does.</summary>
    private static async Task<double> MeanCostAsync(GatewayHttpClient gateway, ReadOnlyMemory<int> tokens, int start, int chunk, int devices, CancellationToken cancellation)
    {
        var costs = new double[(tokens.Length + chunk - 1) / chunk];
        var options = new ParallelOptions { MaxDegreeOfParallelism = devices, CancellationToken = cancellation };
        await Parallel.ForAsync(0, costs.Length, options, async (index, leave) =>
        {
            var part = tokens.Slice(index * chunk, Math.Min(chunk, tokens.Length - index * chunk)).ToArray();
            var request = new GenerateRequest { Tokens = [start, .. part], MaxTokens = 0, ScorePrompt = true };
            var scored = new List<ScoredToken>();
            await AskAsync(gateway, request, next => scored.AddRange(next.Tokens), leave);
            if (!scored.Select(token => token.Id).SequenceEqual(part))
            {
                throw new UserErrorException("The cluster scores other tokens than those of the text.");
            }

            costs[index] = -scored.Sum(token => (double)token.Logprob);
        });
        return costs.Sum() / tokens.Length;
    }

    private static async Task CheckAsync(GatewayHttpClient gateway, FactoredModel model, IReadOnlyList<int[]> prompts, CancellationToken cancellation)
    {
        var settings = new GenerationSettings
        {
            MaxTokens = TokensOfPlace,
            IgnoreEndTokens = true,
            Sampling = SamplingSettings.Greedy with { TopLogprobs = Sampler.MostTopLogprobs },
        };
        var expected = await Task.Factory.StartNew(
            () => Expected(model, prompts, settings, cancellation), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (var place = 0; place < prompts.Count; place++)
        {
            var (events, _) = await AskAsync(gateway, new GenerateRequest
            {
                Tokens = prompts[place],
                MaxTokens = settings.MaxTokens,
                IgnoreEos = true,
                TopLogprobs = settings.Sampling.TopLogprobs,
            }, cancellation);
            Compare(expected[place], events);
        }
    }

    /// <summary>Compares what came out, to the last bit.</summary>
    /// <exception cref="UserErrorException">Something differs.</exception>
    internal static void Compare(IReadOnlyList<TokenChoice> expected, IReadOnlyList<TokenEvent> actual)
    {
        for (var i = 0; i < expected.Count; i++)
        {
            var same = i < actual.Count && expected[i].Id == actual[i].Id && expected[i].Logprob.Equals(actual[i].Logprob)
                && expected[i].Top.Select(top => new TopLogprob(top.Id, top.Logprob)).SequenceEqual(actual[i].Top);
            if (!same)
            {
                throw new UserErrorException(
                    $"The cluster computes something else than this process: token {expected[i].Id} with log-probability {expected[i].Logprob:R} here, {(i < actual.Count ? $"{actual[i].Id} with {actual[i].Logprob:R}" : "none")} there. The scores are not the cluster's.");
            }
        }
    }

    private static List<TokenChoice[]> Expected(FactoredModel model, IReadOnlyList<int[]> prompts, GenerationSettings settings, CancellationToken cancellation)
    {
        using var team = new ComputeTeam(1);
        using var generator = new LocalGenerator(model, team);
        var tokenizer = ModelTokenizer.Load(model.Folder);
        return [.. prompts.Select(prompt => generator.Generate(prompt, settings, tokenizer, cancellation).OfType<GeneratedToken>().Select(token => token.Choice).ToArray())];
    }

    private static async Task<double> SpeedAsync(GatewayHttpClient gateway, FactoredModel model, ReadOnlyMemory<int> tokens, int start, CancellationToken cancellation)
    {
        var request = new GenerateRequest
        {
            Tokens = [start, .. tokens.Span[..Math.Min(tokens.Length, SpeedPrompt)]],
            MaxTokens = Math.Min(SpeedTokens, model.Shape.ContextLength - SpeedPrompt - 1),
            IgnoreEos = true,
        };
        var rates = new List<double>();
        for (var repetition = 0; repetition < Repetitions; repetition++)
        {
            rates.Add((await AskAsync(gateway, request, cancellation)).Timing.TokensPerSecond);
        }

        return Statistics.Quantile(rates, 0.5);
    }

    private static Task<(List<TokenEvent> Tokens, AnswerTiming Timing)> AskAsync(GatewayHttpClient gateway, GenerateRequest request, CancellationToken cancellation)
        => AskAsync(gateway, request, null, cancellation);

    private static async Task<(List<TokenEvent> Tokens, AnswerTiming Timing)> AskAsync(
        GatewayHttpClient gateway, GenerateRequest request, Action<PromptEvent>? onPrompt, CancellationToken cancellation)
    {
        var tokens = new List<TokenEvent>();
        await foreach (var next in gateway.GenerateAsync(request, cancellation))
        {
            switch (next)
            {
                case PromptEvent prompt:
                    onPrompt?.Invoke(prompt);
                    break;
                case TokenEvent token:
                    tokens.Add(token);
                    break;
                case FinishedEvent finished:
                    return (tokens, finished.Timing);
                case FailedEvent failed:
                    throw new UserErrorException(failed.Message);
            }
        }

        throw new UserErrorException("The answer ended before it was complete.");
    }
}
