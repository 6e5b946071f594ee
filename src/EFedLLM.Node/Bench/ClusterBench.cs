using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Supervision;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>Measures a model over device processes on this machine's loopback, through the gateway's HTTP interface as any client would.</summary>
internal static class ClusterBench
{
    /// <summary>The compiler looks twice at what runs thirty times, and each look takes a core away: after so many tokens it has seen all of the way.</summary>
    private const int SettledTokens = 200;

    /// <summary>Settings under which every prompt is read from its first token on, though it is the same each time.</summary>
    internal const string NoReuse = "efedllm.gateway.prefix-sharing = off\n";

    private static readonly TimeSpan PlacementLimit = TimeSpan.FromMinutes(5);

    /// <summary>Measures prefill and decode.</summary>
    /// <param name="model">The model, its folder and its bytes.</param>
    /// <param name="devices">Number of device processes.</param>
    /// <param name="dataFolder">An empty folder for the nodes' data.</param>
    /// <param name="settings">How long and how often.</param>
    /// <param name="counting">Whether what the devices allocate is counted, for which they are gateways as well.</param>
    /// <param name="cancellation">Ends the cluster.</param>
    /// <exception cref="UserErrorException">The cluster does not come up or an answer fails.</exception>
    public static async Task<IReadOnlyList<BenchSample>> RunAsync(
        FactoredModel model, int devices, string dataFolder, BenchSettings settings, bool counting, CancellationToken cancellation)
    {
        Directory.CreateDirectory(dataFolder);
        var configuration = Path.Combine(dataFolder, "bench.conf");
        await File.WriteAllTextAsync(configuration, NoReuse, cancellation);
        var plan = new ClusterSettings
        {
            ModelFolder = model.Folder,
            DataFolder = dataFolder,
            Devices = devices,
            MemoryBytes = settings.MemoryBytes ?? MemoryOf(model),
            ConfigurationFile = configuration,
            DeviceGateways = counting,
        };
        await using var cluster = await LocalCluster.StartAsync(plan, cancellation);
        var facts = await cluster.WaitUntilPlacedAsync(devices, PlacementLimit, cancellation);
        await using var gateway = new GatewayHttpClient(cluster.Gateway);
        var request = new GenerateRequest
        {
            Tokens = settings.Prompt(model.Shape.VocabularySize),
            MaxTokens = settings.DecodeTokens + 1,
            IgnoreEos = true,
        };
        var prefill = new List<double>();
        var decode = new List<double>();
        var hops = new List<double>();
        for (var generated = 0; generated < SettledTokens; generated += settings.DecodeTokens + 1)
        {
            await AskAsync(gateway, request, cancellation);
        }

        var before = await AllocatedAsync(cluster, cancellation);
        for (var repetition = 0; repetition < settings.Repetitions; repetition++)
        {
            var (timing, times) = await AskAsync(gateway, request, cancellation);
            prefill.Add(timing.PromptTokens * 1000 / timing.PrefillMilliseconds);
            decode.Add(timing.TokensPerSecond);
            hops.AddRange(times);
        }

        var positions = (double)settings.Repetitions * (settings.PromptTokens + settings.DecodeTokens);
        double? allocated = counting ? (await AllocatedAsync(cluster, cancellation) - before) / devices / positions : null;
        double bytes = model.Manifest.ReadBytesPerToken;
        double streamed = facts.Devices.Sum(device => device.Shards.Sum(shard => shard.StreamedBytes));
        var (resident, beside) = await MemoryAsync(cluster, facts, settings);
        return
        [
            Sample("prefill", devices, settings.PromptTokens, prefill, bytes * settings.PromptSteps / settings.PromptTokens, null, null),
            Sample("decode", devices, settings.DecodeTokens, decode, bytes, hops, allocated),
        ];

        BenchSample Sample(string phase, int devices, int tokens, List<double> rates, double bytes, List<double>? hops, double? allocated) =>
            ClusterBench.Sample(phase, devices, tokens, rates, bytes, hops, allocated) with
            {
                StreamedBytesPerToken = streamed == 0 ? null : streamed * bytes / model.Manifest.ReadBytesPerToken,
                ResidentBytes = resident,
                BesideWeightsBytes = beside,
            };
    }

    /// <summary>Resident memory of the largest device, and the most that one has beside its weights.</summary>
    private static async Task<(long Resident, long Beside)> MemoryAsync(LocalCluster cluster, ClusterFacts facts, BenchSettings settings)
    {
        var (most, beside) = (0L, 0L);
        foreach (var node in cluster.Nodes)
        {
            var ready = await node.Ready;
            if (facts.Devices.FirstOrDefault(device => device.Id == ready.Device) is { } device)
            {
                var resident = node.ResidentBytes;
                most = Math.Max(most, resident);
                beside = Math.Max(beside, resident - Math.Min(device.Shards.Sum(shard => shard.WeightBytes), settings.WeightBytes));
            }
        }

        return (most, beside);
    }

    /// <summary>What the devices have allocated, those that count.</summary>
    private static async Task<long> AllocatedAsync(LocalCluster cluster, CancellationToken cancellation)
    {
        var total = 0L;
        foreach (var address in cluster.FurtherGateways)
        {
            await using var device = new GatewayHttpClient(address);
            total += (await device.ReadWorkAsync(cancellation)).AllocatedBytes;
        }

        return total;
    }

    /// <summary>Asks once. A token's step passes from the pipeline through all hops and back: what it takes beyond their computing is shared out over these messages.</summary>
    private static async Task<(AnswerTiming Timing, List<double> HopMilliseconds)> AskAsync(GatewayHttpClient gateway, GenerateRequest request, CancellationToken cancellation)
    {
        var times = new List<double>();
        var hops = 1;
        await foreach (var next in gateway.GenerateAsync(request, cancellation))
        {
            switch (next)
            {
                case StartedEvent started:
                    hops = started.Route.Count;
                    break;
                case TokenEvent { Index: > 0 } token:
                    times.Add(token.TransportMilliseconds / (hops + 1));
                    break;
                case FinishedEvent finished:
                    return (finished.Timing, times);
                case FailedEvent failed:
                    throw new UserErrorException(failed.Message);
            }
        }

        throw new UserErrorException("The answer ended before it was complete.");
    }

    private static BenchSample Sample(string phase, int devices, int tokens, List<double> rates, double bytes, List<double>? hops, double? allocated)
    {
        var rate = Statistics.Quantile(rates, 0.5);
        return new BenchSample(
            devices == 1 ? "1 device" : $"{devices} devices", phase, 1, devices, tokens, rate, Statistics.Deviation(rates), bytes, rate * bytes / 1e9,
            hops is null ? null : Statistics.Quantile(hops, 0.5), hops is null ? null : Statistics.Quantile(hops, 0.99), allocated);
    }

    /// <summary>Enough for all of the model on each device and its caches, so that memory never decides the plan.</summary>
    internal static long MemoryOf(FactoredModel model) => model.Manifest.TotalBytes + (512L << 20);
}
