using System.Globalization;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Supervision;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>
/// Measures what guessing ahead gains over device processes on this machine, on a prompt that says a passage again and again and on one
/// whose answer is drawn freely: with and without in turn, over hops that are as far away as is asked for.
/// </summary>
internal static class DraftBench
{
    private const int Passage = 16;
    private const int WarmUps = 3;

    private static readonly TimeSpan PlacementLimit = TimeSpan.FromMinutes(5);

    /// <summary>Measures both prompts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="devices">Number of device processes.</param>
    /// <param name="hopDelay">How long what a device sends waits before it leaves.</param>
    /// <param name="folder">An empty folder for the nodes' data.</param>
    /// <param name="settings">How long and how often.</param>
    /// <param name="cancellation">Ends the cluster.</param>
    /// <exception cref="UserErrorException">The cluster does not come up or an answer fails.</exception>
    public static async Task<IReadOnlyList<DraftSample>> RunAsync(
        FactoredModel model, int devices, TimeSpan hopDelay, string folder, BenchSettings settings, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        var configuration = Path.Combine(folder, "drafts.conf");
        await File.WriteAllTextAsync(configuration, Configuration(hopDelay), cancellation);
        await using var cluster = await LocalCluster.StartAsync(
            new ClusterSettings
            {
                ModelFolder = model.Folder,
                DataFolder = Path.Combine(folder, "nodes"),
                Devices = devices,
                MemoryBytes = ClusterBench.MemoryOf(model),
                ConfigurationFile = configuration,
            },
            cancellation);
        await cluster.WaitUntilPlacedAsync(devices, PlacementLimit, cancellation);
        await using var gateway = new GatewayHttpClient(cluster.Gateway);
        var (vocabulary, tokens) = (model.Shape.VocabularySize, settings.DecodeTokens + 1);
        var copying = new GenerateRequest { Tokens = Copying(settings.PromptTokens, vocabulary), MaxTokens = tokens, IgnoreEos = true };
        var ordinary = new GenerateRequest { Tokens = settings.Prompt(vocabulary), MaxTokens = tokens, IgnoreEos = true, Temperature = 1, Seed = 1 };
        return
        [
            await PairAsync(gateway, "copying", copying, devices, hopDelay, settings, cancellation),
            await PairAsync(gateway, "ordinary", ordinary, devices, hopDelay, settings, cancellation),
        ];
    }

    /// <summary>The settings of nodes whose hops are so far away.</summary>
    internal static string Configuration(TimeSpan hopDelay) => string.Create(CultureInfo.InvariantCulture, $"efedllm.device.send-delay = {hopDelay.TotalMilliseconds:0} ms\nefedllm.pipeline.drafts = 7\n");

    /// <summary>A passage of token ids, again and again.</summary>
    internal static int[] Copying(int tokens, int vocabulary) => [.. Enumerable.Range(0, tokens).Select(index => ((index % Passage * 37) + 11) % vocabulary)];

    private static async Task<DraftSample> PairAsync(
        GatewayHttpClient gateway, string name, GenerateRequest request, int devices, TimeSpan hopDelay, BenchSettings settings, CancellationToken cancellation)
    {
        var without = request with { Drafts = 0 };
        for (var answer = 0; answer < WarmUps; answer++)
        {
            await AskAsync(gateway, without, cancellation);
            await AskAsync(gateway, request, cancellation);
        }

        var (off, on, ratios, texts) = (new List<double>(), new List<double>(), new List<double>(), new HashSet<string>());
        AnswerTiming? drafted = null;
        for (var repetition = 0; repetition < settings.Repetitions; repetition++)
        {
            // Now one goes first and now the other.
            var first = await AskAsync(gateway, repetition % 2 == 0 ? without : request, cancellation);
            var second = await AskAsync(gateway, repetition % 2 == 0 ? request : without, cancellation);
            var (plain, guessed) = repetition % 2 == 0 ? (first, second) : (second, first);
            off.Add(plain.Timing.TokensPerSecond);
            on.Add(guessed.Timing.TokensPerSecond);
            ratios.Add(guessed.Timing.TokensPerSecond / plain.Timing.TokensPerSecond);
            texts.UnionWith([plain.Tokens, guessed.Tokens]);
            drafted = guessed.Timing;
        }

        return new DraftSample(
            name, devices, hopDelay.TotalMilliseconds, settings.DecodeTokens, settings.Repetitions, Statistics.Quantile(off, 0.5), Statistics.Quantile(on, 0.5),
            Statistics.Quantile(ratios, 0.5), Statistics.Deviation(ratios), drafted!.DraftedTokens, drafted.AcceptedTokens, texts.Count == 1);
    }

    /// <summary>Asks once: the tokens with the bits of their probabilities, and the time.</summary>
    private static async Task<(string Tokens, AnswerTiming Timing)> AskAsync(GatewayHttpClient gateway, GenerateRequest request, CancellationToken cancellation)
    {
        var tokens = new List<string>();
        await foreach (var next in gateway.GenerateAsync(request, cancellation))
        {
            switch (next)
            {
                case TokenEvent token:
                    tokens.Add(string.Create(CultureInfo.InvariantCulture, $"{token.Id}/{BitConverter.SingleToInt32Bits(token.Logprob):x8}"));
                    break;
                case FinishedEvent finished:
                    return (string.Join(' ', tokens), finished.Timing);
                case FailedEvent failed:
                    throw new UserErrorException(failed.Message);
                default:
                    break;
            }
        }

        throw new UserErrorException("The answer ended before it was complete.");
    }
}
