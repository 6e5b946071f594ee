using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Supervision;

namespace EFedLLM.Node.Tests.CommandLine;

public class LocalClusterTests
{
    [Fact]
    public void A_cluster_is_placed_when_every_device_serves_what_the_plan_gives_it() => Assert.True(LocalCluster.IsPlaced(Facts(), 2));

    [Fact]
    public void It_is_not_while_a_device_is_missing() => Assert.False(LocalCluster.IsPlaced(Facts(), 3));

    [Fact]
    public void It_is_not_while_a_range_is_not_loaded()
    {
        var facts = Facts();
        Assert.False(LocalCluster.IsPlaced(facts with { Devices = [facts.Devices[0], facts.Devices[1] with { Shards = [] }] }, 2));
    }

    [Fact]
    public void It_is_not_while_an_old_range_is_loaded()
    {
        var facts = Facts();
        var old = facts.Devices[1] with { Shards = [facts.Devices[1].Shards[0] with { First = 3 }] };
        Assert.False(LocalCluster.IsPlaced(facts with { Devices = [facts.Devices[0], old] }, 2));
    }

    [Fact]
    public void It_is_not_without_a_plan_or_a_model()
    {
        var facts = Facts();
        Assert.False(LocalCluster.IsPlaced(facts with { Models = [facts.Models[0] with { Assignments = [] }] }, 2));
        Assert.False(LocalCluster.IsPlaced(facts with { Models = [facts.Models[0] with { Ready = false }] }, 2));
        Assert.False(LocalCluster.IsPlaced(facts with { Models = [] }, 2));
    }

    [Fact]
    public void A_node_gets_another_certificate_when_it_is_somebody_elses()
    {
        var folder = Directory.CreateTempSubdirectory("efedllm-local-").FullName;
        try
        {
            using var authority = LocalCertificates.Authority(Path.Combine(folder, "ca"), out _);
            var fingerprints = new List<string>();
            foreach (var owner in new[] { null, "anna", "anna", "bert", null })
            {
                LocalCertificates.Ensure(authority, Path.Combine(folder, "node"), "node", ["127.0.0.1"], new DeviceId(new string('a', 32)), owner, TimeProvider.System);
                using var certificate = NodeCertificate.Load(Path.Combine(folder, "node"));
                Assert.Equal(owner, certificate.Owner);
                fingerprints.Add(certificate.Fingerprint);
            }

            Assert.Equal(fingerprints[1], fingerprints[2]);
            Assert.Equal(4, fingerprints.Distinct().Count());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Only_the_device_that_is_named_does_wrong()
    {
        var saboteurs = SaboteurSpec.ByDevice(["2=sign-flip:0.05", "3=skip-ffn"], 3);
        var nodes = LocalCluster.Plan(new ClusterSettings { ModelFolder = "model", DataFolder = "data", Saboteurs = saboteurs }, "127.0.0.1:4053");
        Assert.Equal([("anchor", null), ("device-1", null), ("device-2", "sign-flip:0.05"), ("device-3", "skip-ffn")], nodes.Select(node => (node.Name, node.Saboteur)));
    }

    [Fact]
    public void Who_misspells_what_a_device_does_is_told_what_there_is()
    {
        var error = Assert.Throws<UserErrorException>(() => SaboteurSpec.ByDevice(["1=sing-flip"], 3));
        Assert.Contains("sign-flip, sign-one-send-another, skip-attention", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_of_one_machine_share_its_processors_unless_told_otherwise()
    {
        var settings = new ClusterSettings { ModelFolder = "model", DataFolder = "data", Devices = 2 };
        Assert.All(Threads(settings), threads => Assert.Equal(Math.Max(1, Environment.ProcessorCount / 2), threads));
        Assert.All(Threads(settings with { Devices = 1000 }), threads => Assert.Equal(1, threads));
        Assert.All(Threads(settings with { Threads = 7 }), threads => Assert.Equal(7, threads));

        var file = Path.Combine(Directory.CreateTempSubdirectory("efedllm-threads-").FullName, "settings.conf");
        File.WriteAllText(file, "efedllm.device.threads = 5");
        Assert.All(Threads(settings with { ConfigurationFile = file }), threads => Assert.Equal(5, threads));

        static IEnumerable<int?> Threads(ClusterSettings settings) =>
            LocalCluster.Plan(settings, "127.0.0.1:4053").Where(node => node.Name != "anchor").Select(node => node.Threads);
    }

    private static ClusterFacts Facts() => new(
        "node", "node", [],
        [Device("one", 0, 4), Device("two", 4, 8)],
        [new ModelFacts("id", "model", 6, 128, 512, 1000, 8.5, true, null, 1, [new("one", 0, 4, "", ""), new("two", 4, 8, "", "")])]);

    private static DeviceFacts Device(string id, int first, int end) =>
        new(id, id, "address", 1000, 0, false, [new ShardFacts("model", first, end, "", 500, 8.5, 0, 0)]);
}
