using System.Globalization;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Supervision;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>
/// Measures what guessing ahead gains over device processes on this machine, in a conversation that asks again what was answered and on a
/// story that is drawn freely: with and without in turn, over hops that are as far away as is asked for.
/// </summary>
internal static class DraftBench
{
    private const int WarmUps = 3;

    // What even a small model can say by heart, and so says in the same words again.
    private static readonly ChatLine Question = new("user", "Name the months of the year.");
    private static readonly ChatLine Story = new("user", "Tell me a story about a wolf.");

    private static readonly TimeSpan PlacementLimit = TimeSpan.FromMinutes(5);

    /// <summary>Measures both prompts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="devices">Number of device processes.</param>
    /// <param name="hopDelay">How long what a device computed waits before it leaves.</param>
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
        var said = await AnswerCollector.CollectAsync(gateway, Ask(settings, Question), null, cancellation);
        Side[] sides =
        [
            new("copying", Ask(settings, Asked(said.Text))),
            new("ordinary", Ask(settings, Story) with { Temperature = 1, Seed = 1 }),
        ];

        // All at once: to warm up takes no longer than one answer, however far away the hops are.
        await Task.WhenAll(Enumerable.Repeat(sides, WarmUps).SelectMany(again => again).SelectMany(side => new[] { side.Without, side.With }).Select(AskAsync));
        for (var repetition = 0; repetition < settings.Repetitions; repetition++)
        {
            foreach (var side in sides)
            {
                // Now one goes first and now the other.
                var isPlainFirst = repetition % 2 == 0;
                var first = await AskAsync(isPlainFirst ? side.Without : side.With);
                var second = await AskAsync(isPlainFirst ? side.With : side.Without);
                side.Add(isPlainFirst ? first : second, isPlainFirst ? second : first);
            }
        }

        return [.. sides.Select(side => side.Sample(devices, hopDelay))];

        async Task<PromptAnswer> AskAsync(GenerateRequest request)
        {
            var answer = await AnswerCollector.CollectAsync(gateway, request, null, cancellation);
            return answer.Timing.TokensPerSecond > 0 ? answer : throw new UserErrorException("The model ends its answer with the first token: there is no speed to measure.");
        }
    }

    /// <summary>The settings of nodes whose hops are so far away.</summary>
    internal static string Configuration(TimeSpan hopDelay) => string.Create(CultureInfo.InvariantCulture, $"efedllm.device.send-delay = {hopDelay.TotalMilliseconds:0} ms\nefedllm.pipeline.drafts = 7\n");

    /// <summary>A conversation in which the question was answered twice and is asked again.</summary>
    internal static ChatLine[] Asked(string answer)
    {
        var said = new ChatLine("assistant", answer);
        return [Question, said, Question, said, Question];
    }

    private static GenerateRequest Ask(BenchSettings settings, params ChatLine[] lines) => new() { Messages = lines, MaxTokens = settings.DecodeTokens + 1 };

    /// <summary>One prompt, asked with guesses and without.</summary>
    private sealed class Side(string name, GenerateRequest with)
    {
        private readonly List<double> _off = [];
        private readonly List<double> _on = [];
        private readonly HashSet<string> _texts = [];
        private AnswerTiming? _drafted;

        public GenerateRequest With => with;

        public GenerateRequest Without { get; } = with with { Drafts = 0 };

        public void Add(PromptAnswer plain, PromptAnswer guessed)
        {
            _off.Add(plain.Timing.TokensPerSecond);
            _on.Add(guessed.Timing.TokensPerSecond);
            _texts.UnionWith([Bits(plain), Bits(guessed)]);
            _drafted = guessed.Timing;
        }

        public DraftSample Sample(int devices, TimeSpan hopDelay)
        {
            var ratios = _on.Zip(_off, (on, off) => on / off).ToList();
            return new DraftSample(
                name, devices, hopDelay.TotalMilliseconds, _drafted!.GeneratedTokens, ratios.Count, Statistics.Quantile(_off, 0.5), Statistics.Quantile(_on, 0.5),
                Statistics.Quantile(ratios, 0.5), Statistics.Deviation(ratios), _drafted.DraftedTokens, _drafted.AcceptedTokens, _texts.Count == 1);
        }

        /// <summary>The tokens with the bits of their probabilities.</summary>
        private static string Bits(PromptAnswer answer)
            => string.Join(' ', answer.Logprobs.Select(token => string.Create(CultureInfo.InvariantCulture, $"{token.Id}/{BitConverter.SingleToInt32Bits(token.Logprob):x8}")));
    }
}
