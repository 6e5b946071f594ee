using System.Globalization;
using System.Text.RegularExpressions;
using EFedLLM.Node.Api;
using EFedLLM.Node.Supervision;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Cluster.Tests;

/// <summary>Devices without a model, which get their layers from those that have it.</summary>
public class FetchTests
{
    private const string Answer = "The capital of France is Paris.";

    [Fact]
    public async Task A_device_that_joins_with_nothing_fetches_its_layers_alone_serves_and_still_has_them_when_it_comes_back()
    {
        await using var cluster = await RunningCluster.StartAsync(2);
        var (home, data) = (TestHome.Empty(), TestHome.NewFolder("fetcher"));
        string[] join = ["join", "--seed", cluster.Report.Seed, "--name", "fetcher", "--data", data];
        string id;
        await using (var device = EfedllmProcess.Start(home, join))
        {
            await device.LineAsync(line => line.StartsWith("serves efed-mini: ", StringComparison.Ordinal));
            var facts = await cluster.UntilAsync(facts => IsSettled(facts, 3));
            var fetcher = facts.Devices.Single(device => device.Name == "fetcher");
            id = fetcher.Id;
            Assert.Equal(Assigned(Path.Combine(data, "node"), fetcher), Held(Path.Combine(data, "node")));
            Assert.Equal(Answer, (await cluster.AskAsync()).Text);

            // The one that was started with the model has no copy of it, and the other one fetched its own layers.
            Assert.Empty(Held(Path.Combine(cluster.Data, "device-1")));
            var second = Path.Combine(cluster.Data, "device-2");
            Assert.Equal(Assigned(second, facts.Devices.Single(device => device.Name == "device-2")), Held(second));
            EfedllmProcess.Kill(device.Pid);
            await device.EndAsync();
        }

        await cluster.UntilAsync(facts => facts.Devices.Count == 2);
        var before = Held(Path.Combine(data, "node"));
        await using var again = EfedllmProcess.Start(home, join);
        await again.LineAsync(line => line.StartsWith("serves efed-mini: ", StringComparison.Ordinal));
        var back = (await cluster.UntilAsync(facts => IsSettled(facts, 3))).Devices.Single(device => device.Name == "fetcher");
        Assert.Equal(id, back.Id);
        Assert.Superset(before.ToHashSet(), Held(Path.Combine(data, "node")).ToHashSet());
        Assert.Equal(Answer, (await cluster.AskAsync()).Text);
        again.Terminate();
        await again.EndAsync();
    }

    [Trait("Category", "Faults")]
    [Fact]
    public async Task A_fetch_that_is_killed_goes_on_where_it_was()
    {
        // Givers that answer once a second leave time to be killed in.
        await using var cluster = await RunningCluster.StartAsync(1, environment: new Dictionary<string, string> { ["EFEDLLM__BLOBS__REQUESTS"] = "1" });
        var (home, data) = (TestHome.Empty(("EFEDLLM__BLOBS__PIECE", "64 KiB")), TestHome.NewFolder("killed"));
        string[] join = ["join", "--seed", cluster.Report.Seed, "--name", "killed", "--data", data];
        var partial = Path.Combine(data, "node", "partial");
        await using (var device = EfedllmProcess.Start(home, join))
        {
            // A note and more for some piece of some file.
            await EfedllmProcess.UntilAsync(() => Directory.Exists(partial) && Directory.GetFiles(partial, "*.pieces").Any(notes => new FileInfo(notes).Length >= 24 + (2 * 52)));
            await cluster.UntilAsync(facts => facts.Devices.Any(device => device.Fetching is [{ DoneBytes: > 0 } fetch] && fetch.DoneBytes < fetch.TotalBytes));
            EfedllmProcess.Kill(device.Pid);
            await device.EndAsync();
        }

        Assert.NotEmpty(Directory.GetFiles(partial, "*.pieces"));
        await using var again = EfedllmProcess.Start(home, join);
        await again.LineAsync(line => line.StartsWith("serves efed-mini: ", StringComparison.Ordinal));
        var log = await File.ReadAllLinesAsync(Path.Combine(data, "node", "node.log"));
        Assert.Contains(log, line => line.Contains("Fetched ", StringComparison.Ordinal) && !line.Contains("; 0 of them", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFiles(partial));
        Assert.Equal(Answer, (await cluster.AskAsync()).Text);
        again.Terminate();
        await again.EndAsync();
    }

    [Trait("Category", "Faults")]
    [Fact]
    public async Task A_device_whose_files_are_not_what_they_should_be_is_named_in_the_log_and_the_ledger_and_the_next_one_is_used()
    {
        string whole;
        await using (await RunningCluster.StartAsync(1))
        {
            // It has compressed the bundled model, if no other test had.
            whole = Directory.GetDirectories(Path.Combine(TestHome.Path, "models")).Single(folder => Path.GetFileName(folder).StartsWith("efed-mini", StringComparison.Ordinal));
        }

        var copy = TestHome.NewFolder("copy");
        foreach (var file in Directory.GetFiles(whole))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        await using var cluster = await RunningCluster.StartAsync(1, more: ["--model", whole]);
        await using var lying = EfedllmProcess.Start(TestHome.Empty(), "join", "--seed", cluster.Report.Seed, "--name", "false", "--data", TestHome.NewFolder("false"), "--model", copy);
        var liar = (await cluster.UntilAsync(facts => IsSettled(facts, 2))).Devices.Single(device => device.Name == "false").Id;

        // What it has loaded is right, and so is what it will load, for it checks that. What it gives is wrong from now on.
        foreach (var file in Directory.GetFiles(copy, "*.safetensors"))
        {
            var bytes = await File.ReadAllBytesAsync(file);
            bytes[^1] ^= 1;
            await File.WriteAllBytesAsync(file, bytes);
        }

        var data = TestHome.NewFolder("wary");

        // One piece of a peer at a time: every peer is asked for some.
        await using var wary = EfedllmProcess.Start(TestHome.Empty(("EFEDLLM__BLOBS__PIECE", "64 KiB"), ("EFEDLLM__BLOBS__PER_PEER", "1")), "join", "--seed", cluster.Report.Seed, "--name", "wary", "--data", data);
        await wary.LineAsync(line => line.StartsWith("serves efed-mini: ", StringComparison.Ordinal));
        await cluster.UntilAsync(facts => IsSettled(facts, 3));
        Assert.Equal(Answer, (await cluster.AskAsync()).Text);

        var log = await File.ReadAllLinesAsync(Path.Combine(data, "node", "node.log"));
        Assert.True(
            log.Any(line => line.Contains($"Device {liar[..8]}", StringComparison.Ordinal) && line.Contains("(false) gave something else", StringComparison.Ordinal)),
            string.Join(Environment.NewLine, log.Where(line => line.Contains("layers:", StringComparison.Ordinal))));
        var ledger = await cluster.UntilLedgerAsync(facts => facts.Devices.Any(device => device.Device == liar && device.Failures > 0));
        Assert.All(ledger.Devices.Where(device => device.Device != liar), device => Assert.Equal(0, device.Failures));
        var (code, output, error) = await EfedllmProcess.RunAsync("ledger", "show", liar[..8], "--json", "--gateway", cluster.Gateway.ToString());
        Assert.True(code == 0, error);
        Assert.Contains("\"corrupt\"", output, StringComparison.Ordinal);
        foreach (var device in new[] { lying, wary })
        {
            device.Terminate();
            await device.EndAsync();
        }
    }

    private static bool IsSettled(ClusterFacts facts, int devices) =>
        facts.Devices.Count == devices && LocalCluster.IsPlaced(facts, devices) && facts.Models[0].Assignments.Count == devices;

    /// <summary>The names of the files of all that a device was to serve since it started, which is more than it serves when a plan was changed.</summary>
    private static List<string> Assigned(string data, DeviceFacts device)
    {
        var manifest = ModelManifest.Parse(File.ReadAllBytes(Directory.GetFiles(Path.Combine(data, "manifests")).Single()));
        var ranges = File.ReadAllLines(Path.Combine(data, "node.log"))
            .Select(line => Regex.Match(line, @"Fetching files of \[(\d+), (\d+)\)"))
            .Where(match => match.Success)
            .Select(match => new LayerRange(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture)))
            .ToList();
        Assert.All(device.Shards, shard => Assert.All(Enumerable.Range(shard.First, shard.End - shard.First), unit => Assert.Contains(ranges, range => range.First <= unit && unit < range.End)));
        Assert.True(ranges.Sum(range => range.Count) < manifest.Files.Length, "The device fetched the whole model.");
        return [.. ranges.SelectMany(range => manifest.Files.Skip(range.First).Take(range.Count)).Select(file => file.Sha256).Distinct().Order(StringComparer.Ordinal)];
    }

    private static List<string> Held(string data) => [.. Directory.GetFiles(Path.Combine(data, "blobs")).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}
