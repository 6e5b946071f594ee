using System.Globalization;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Supervision;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>
/// Measures what trust costs over device processes on this machine: gateways without trust, with receipts alone, and with checks of each share
/// ask the same devices in turn, so that whatever else the machine does meets all of them.
/// </summary>
internal static class TrustBench
{
    /// <summary>So few units that none is checked while it measures: a share of 0 is refused.</summary>
    public const double HardlyAny = 1e-9;

    // Every device of the route has to pass a check before the share of the measurement holds for it.
    private const int MostWarmUps = 100;
    private const int WarmUpTokens = 24;
    private const int FewestWarmUps = 8;

    private static readonly TimeSpan PlacementLimit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    /// <summary>Measures receipts alone, and checks of each share.</summary>
    /// <param name="model">The model.</param>
    /// <param name="devices">Number of device processes.</param>
    /// <param name="shares">Shares of units that are checked.</param>
    /// <param name="folder">An empty folder for the nodes' data.</param>
    /// <param name="settings">How long and how often.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="UserErrorException">The cluster does not come up or an answer fails.</exception>
    public static async Task<IReadOnlyList<TrustSample>> RunAsync(
        FactoredModel model, int devices, IReadOnlyList<double> shares, string folder, BenchSettings settings, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        double[] trusted = [HardlyAny, .. shares];
        var plain = Path.Combine(folder, "plain.conf");
        await File.WriteAllTextAsync(plain, ClusterBench.NoReuse, cancellation);
        var gateways = new List<FurtherGateway> { new("plain", false, plain) };
        foreach (var share in trusted)
        {
            var file = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"trust-{gateways.Count}.conf"));
            await File.WriteAllTextAsync(file, Configuration(share), cancellation);
            gateways.Add(new FurtherGateway(string.Create(CultureInfo.InvariantCulture, $"trusting-{gateways.Count}"), true, file));
        }

        await using var cluster = await LocalCluster.StartAsync(
            new ClusterSettings
            {
                ModelFolder = model.Folder,
                DataFolder = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"over-{devices}")),
                Devices = devices,
                Threads = 1,
                MemoryBytes = ClusterBench.MemoryOf(model),
                Trust = true,
                ConfigurationFile = gateways[1].ConfigurationFile,
                Gateways = gateways,
            },
            cancellation);
        await cluster.WaitUntilPlacedAsync(devices, PlacementLimit, cancellation);
        var lanes = cluster.FurtherGateways.Select(address => new Lane(new GatewayHttpClient(address))).ToList();
        try
        {
            var request = new GenerateRequest { Tokens = settings.Prompt(model.Shape.VocabularySize), MaxTokens = settings.DecodeTokens + 1, IgnoreEos = true };
            for (var lane = 0; lane < lanes.Count; lane++)
            {
                await WarmAsync(lanes[lane].Gateway, request, lane > 0, cancellation);
                lanes[lane].Before = await SettledAsync(lanes[lane].Gateway, cancellation);
            }

            for (var repetition = 0; repetition < settings.Repetitions; repetition++)
            {
                // Each goes first in turn, and none while another's checks go on.
                for (var turn = 0; turn < lanes.Count; turn++)
                {
                    var lane = lanes[(repetition + turn) % lanes.Count];
                    var (milliseconds, route) = await AskAsync(lane.Gateway, request, cancellation);
                    lane.Milliseconds.Add(milliseconds);
                    lane.Hops += route.Count;
                    lane.After = await SettledAsync(lane.Gateway, cancellation);
                }
            }

            return [.. trusted.Select((share, index) => Sample(share, devices, lanes[0], lanes[index + 1], settings))];
        }
        finally
        {
            foreach (var lane in lanes)
            {
                await lane.Gateway.DisposeAsync();
            }
        }
    }

    /// <summary>The settings that check this share of a device that has passed once.</summary>
    internal static string Configuration(double share) => string.Create(
        CultureInfo.InvariantCulture,
        $$"""
        efedllm.trust.audit {
          full-rate = {{share:R}}
          junior-rate = {{share:R}}
          probation-tokens = 16
          junior-tokens = 16
        }

        """);

    private static TrustSample Sample(double share, int devices, Lane off, Lane on, BenchSettings settings)
    {
        var changes = on.Milliseconds.Zip(off.Milliseconds, (trusted, plain) => (trusted / plain) - 1).ToList();
        var positions = settings.PromptTokens + settings.DecodeTokens;
        var bytes = ((double)(on.After.ReceivedBytes - on.Before.ReceivedBytes) / on.Hops) - ((double)(off.After.ReceivedBytes - off.Before.ReceivedBytes) / off.Hops);
        return new TrustSample(
            share == HardlyAny ? "receipts" : string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.#} % checked"),
            share,
            devices,
            (int)Math.Round((double)on.Hops / settings.Repetitions),
            settings.DecodeTokens,
            settings.Repetitions,
            Statistics.Quantile(off.Milliseconds, 0.5),
            Statistics.Quantile(on.Milliseconds, 0.5),
            Statistics.Quantile(changes, 0.5),
            (Statistics.Quantile(changes, 0.75) - Statistics.Quantile(changes, 0.25)) / 2,
            share == HardlyAny ? bytes / positions : null,
            (double)(on.After.Recomputed - on.Before.Recomputed) / Math.Max(1, on.After.Served - on.Before.Served),
            (double)(on.After.CheckingMicroseconds - on.Before.CheckingMicroseconds) / Math.Max(1, on.After.ServingMicroseconds - on.Before.ServingMicroseconds));
    }

    /// <summary>Asks until every device of the route is out of probation, where devices are checked, and the compiler has seen all of the way.</summary>
    private static async Task WarmAsync(GatewayHttpClient gateway, GenerateRequest request, bool trusted, CancellationToken cancellation)
    {
        for (var answers = 0; answers < MostWarmUps; answers++)
        {
            // Routes keep to the devices that have served well: the others may be asked nothing for ever.
            var (_, route) = await AskAsync(gateway, request with { MaxTokens = WarmUpTokens }, cancellation);
            var facts = await gateway.ReadClusterAsync(cancellation);
            if (!trusted || route.All(hop => facts.Devices.Any(device => device.Id == hop.Device && device.Standing == "full")))
            {
                for (var more = 0; more < FewestWarmUps; more++)
                {
                    await AskAsync(gateway, request, cancellation);
                }

                return;
            }
        }

        throw new UserErrorException($"After {MostWarmUps} answers some device of the route is still in probation, so that a share of its units cannot be measured.");
    }

    /// <summary>What was counted, once nothing more is: checks go on when an answer is told.</summary>
    private static async Task<WorkFacts> SettledAsync(GatewayHttpClient gateway, CancellationToken cancellation)
    {
        using var timer = new PeriodicTimer(Interval);
        var before = await gateway.ReadWorkAsync(cancellation);
        while (await timer.WaitForNextTickAsync(cancellation))
        {
            var now = await gateway.ReadWorkAsync(cancellation);
            if ((now.Served, now.Recomputed) == (before.Served, before.Recomputed))
            {
                return now;
            }

            before = now;
        }

        return before;
    }

    /// <summary>Asks once: milliseconds per token after the first, and the route.</summary>
    private static async Task<(double Milliseconds, IReadOnlyList<RouteHop> Route)> AskAsync(GatewayHttpClient gateway, GenerateRequest request, CancellationToken cancellation)
    {
        IReadOnlyList<RouteHop> route = [];
        await foreach (var next in gateway.GenerateAsync(request, cancellation))
        {
            switch (next)
            {
                case StartedEvent started:
                    route = started.Route;
                    break;
                case FinishedEvent { Timing: var timing }:
                    return (timing.DecodeMilliseconds / Math.Max(1, timing.GeneratedTokens - 1), route);
                case FailedEvent failed:
                    throw new UserErrorException(failed.Message);
                default:
                    break;
            }
        }

        throw new UserErrorException("The answer ended before it was complete.");
    }

    /// <summary>A gateway and what was measured through it.</summary>
    private sealed class Lane(GatewayHttpClient gateway)
    {
        public GatewayHttpClient Gateway { get; } = gateway;

        public List<double> Milliseconds { get; } = [];

        public long Hops { get; set; }

        public WorkFacts Before { get; set; } = null!;

        public WorkFacts After { get; set; } = null!;
    }
}
