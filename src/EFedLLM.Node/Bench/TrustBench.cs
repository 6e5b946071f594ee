using System.Globalization;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Supervision;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>
/// Measures what trust costs over device processes on this machine: two clusters side by side, one without trust and one with some of it,
/// are asked in turn, so that whatever else the machine does meets both.
/// </summary>
internal static class TrustBench
{
    /// <summary>So few units that none is checked while it measures: a share of 0 is refused.</summary>
    public const double HardlyAny = 1e-9;

    // Every device of the route has to pass a check before the share of the measurement holds for it.
    private const int MostWarmUps = 400;
    private const int WarmUpTokens = 24;
    private const int FewestWarmUps = 10;

    private static readonly TimeSpan PlacementLimit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(300);

    /// <summary>Measures receipts alone, and checks of each share.</summary>
    /// <param name="model">The model.</param>
    /// <param name="devices">Number of device processes of each cluster.</param>
    /// <param name="shares">Shares of units that are checked.</param>
    /// <param name="folder">An empty folder for the nodes' data.</param>
    /// <param name="settings">How long and how often.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="UserErrorException">A cluster does not come up or an answer fails.</exception>
    public static async Task<IReadOnlyList<TrustSample>> RunAsync(
        FactoredModel model, int devices, IReadOnlyList<double> shares, string folder, BenchSettings settings, CancellationToken cancellation)
    {
        var samples = new List<TrustSample>();
        foreach (var share in shares.Prepend(HardlyAny))
        {
            var data = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"trust-{devices}-{samples.Count}"));
            samples.Add(await PairAsync(model, devices, share, data, settings, cancellation));
        }

        return samples;
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

    private static async Task<TrustSample> PairAsync(FactoredModel model, int devices, double share, string folder, BenchSettings settings, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        var configuration = Path.Combine(folder, "trust.conf");
        await File.WriteAllTextAsync(configuration, Configuration(share), cancellation);
        await using var off = await StartAsync(model, devices, Path.Combine(folder, "off"), null, cancellation);
        await using var on = await StartAsync(model, devices, Path.Combine(folder, "on"), configuration, cancellation);
        await using var without = new GatewayHttpClient(off.Gateway);
        await using var with = new GatewayHttpClient(on.Gateway);
        var request = new GenerateRequest { Tokens = settings.Prompt(model.Shape.VocabularySize), MaxTokens = settings.DecodeTokens + 1, IgnoreEos = true };
        await WarmAsync(with, request, share, cancellation);
        for (var answers = 0; answers < FewestWarmUps; answers++)
        {
            await AskAsync(without, request, cancellation);
        }

        var (offBefore, onBefore) = (await without.ReadWorkAsync(cancellation), await SettledAsync(with, cancellation));
        var (offTimes, onTimes, changes, hops) = (new List<double>(), new List<double>(), new List<double>(), 0L);
        for (var repetition = 0; repetition < settings.Repetitions; repetition++)
        {
            // Now one goes first and now the other.
            var first = await AskAsync(repetition % 2 == 0 ? without : with, request, cancellation);
            var second = await AskAsync(repetition % 2 == 0 ? with : without, request, cancellation);
            var (plain, trusted) = repetition % 2 == 0 ? (first, second) : (second, first);
            offTimes.Add(plain.Milliseconds);
            onTimes.Add(trusted.Milliseconds);
            changes.Add((trusted.Milliseconds / plain.Milliseconds) - 1);
            hops += trusted.Route.Count;
        }

        var (offAfter, onAfter) = (await without.ReadWorkAsync(cancellation), await SettledAsync(with, cancellation));
        var positions = settings.PromptTokens + settings.DecodeTokens;
        var bytes = onAfter.ReceivedBytes - onBefore.ReceivedBytes - (offAfter.ReceivedBytes - offBefore.ReceivedBytes);
        return new TrustSample(
            share == HardlyAny ? "receipts" : string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.#} % checked"),
            share,
            devices,
            (int)Math.Round((double)hops / settings.Repetitions),
            settings.DecodeTokens,
            settings.Repetitions,
            Statistics.Quantile(offTimes, 0.5),
            Statistics.Quantile(onTimes, 0.5),
            Statistics.Quantile(changes, 0.5),
            (Statistics.Quantile(changes, 0.75) - Statistics.Quantile(changes, 0.25)) / 2,
            share == HardlyAny ? (double)bytes / (positions * hops) : null,
            (double)(onAfter.Recomputed - onBefore.Recomputed) / Math.Max(1, onAfter.Served - onBefore.Served),
            (double)(onAfter.CheckingMicroseconds - onBefore.CheckingMicroseconds) / Math.Max(1, onAfter.ServingMicroseconds - onBefore.ServingMicroseconds));
    }

    private static async Task<LocalCluster> StartAsync(FactoredModel model, int devices, string folder, string? trust, CancellationToken cancellation)
    {
        var cluster = await LocalCluster.StartAsync(
            new ClusterSettings
            {
                ModelFolder = model.Folder,
                DataFolder = folder,
                Devices = devices,
                Threads = 1,
                MemoryBytes = ClusterBench.MemoryOf(model),
                Trust = trust is not null,
                ConfigurationFile = trust,
            },
            cancellation);
        try
        {
            await cluster.WaitUntilPlacedAsync(devices, PlacementLimit, cancellation);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Asks until every device of the route is out of probation, and the compiler has seen all of the way.</summary>
    private static async Task WarmAsync(GatewayHttpClient gateway, GenerateRequest request, double share, CancellationToken cancellation)
    {
        for (var answers = 0; answers < MostWarmUps; answers++)
        {
            // Routes keep to the devices that have served well: the others may be asked nothing for ever.
            var (_, route) = await AskAsync(gateway, request with { MaxTokens = WarmUpTokens }, cancellation);
            var facts = await gateway.ReadClusterAsync(cancellation);
            if (answers >= FewestWarmUps && route.All(hop => facts.Devices.Any(device => device.Id == hop.Device && device.Standing == "full")))
            {
                for (var more = 0; more < FewestWarmUps; more++)
                {
                    await AskAsync(gateway, request, cancellation);
                }

                return;
            }
        }

        throw new UserErrorException($"After {MostWarmUps} answers some device of the route is still in probation, so that a checked share of {share} cannot be measured.");
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
}
