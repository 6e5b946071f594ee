using System.Net;
using System.Net.Sockets;
using EFedLLM.Actors.Identity;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Doctor;
using EFedLLM.Node.Tests.Http;

namespace EFedLLM.Node.Tests.Doctor;

/// <summary>What is measured on the machine that runs the tests.</summary>
public class ProbesTests
{
    [Fact]
    public void This_machine_can_be_measured()
    {
        var facts = MachineProbe.Measure();
        Assert.Equal(Environment.Version, facts.Runtime);
        Assert.InRange(facts.Processors, 1, int.MaxValue);
        Assert.True(facts.FreeMemoryBytes is null or > 0);
    }

    [Theory]
    [InlineData("MemTotal: 10 kB\nMemAvailable:   2048 kB\n", 2048L * 1024)]
    [InlineData("MemAvailable: many kB\n", null)]
    [InlineData("MemAvailable:", null)]
    [InlineData("MemAvailable: 99999999999999999999999 kB", null)]
    [InlineData("MemAvailable: 9223372036854775807 kB", null)]
    [InlineData("", null)]
    public void Free_memory_is_read_from_what_the_system_says(string text, long? expected) => Assert.Equal(expected, MachineProbe.Available(text));

    [Theory]
    [InlineData("Limit   Soft  Hard\nMax open files            1024                 524288               files\n", 1024L)]
    [InlineData("Max open files            unlimited            unlimited            files\n", null)]
    [InlineData("Max open files", null)]
    public void The_limit_of_open_files_is_the_soft_one(string text, long? expected) => Assert.Equal(expected, MachineProbe.OpenFiles(text));

    [Theory]
    [InlineData("always [madvise] never\n", "madvise")]
    [InlineData("]never[\n", "]never[")]
    public void The_setting_in_brackets_is_the_chosen_one(string text, string expected) => Assert.Equal(expected, MachineProbe.Chosen(text));

    [Theory]
    [InlineData("processor\t: 0\nmodel name\t: A Processor: 2 GHz\n", "A Processor: 2 GHz")]
    [InlineData("model name", null)]
    [InlineData("model name\t:  \n", null)]
    [InlineData("", null)]
    public void The_name_of_the_processor_is_read_from_what_the_system_says(string text, string? expected) => Assert.Equal(expected, MachineProbe.Named(text));

    [Fact]
    public void A_folder_that_is_not_there_is_measured_where_it_would_be_and_not_made()
    {
        var root = Directory.CreateTempSubdirectory("efedllm-test-").FullName;
        try
        {
            var facts = FolderFacts.Measure(Path.Combine(root, "a", "b"));
            Assert.Equal((root, null), (facts.Path, facts.Problem));
            Assert.Empty(Directory.EnumerateFileSystemEntries(root));
        }
        finally
        {
            Directory.Delete(root);
        }
    }

    [Fact]
    public async Task A_port_that_is_taken_is_told_from_a_free_one()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        Assert.Equal(SocketError.AddressAlreadyInUse, (await PortFacts.MeasureAsync("port", "127.0.0.1", port, default)).Error);
        listener.Stop();
        Assert.Null((await PortFacts.MeasureAsync("port", "127.0.0.1", port, default)).Error);
        Assert.Equal(SocketError.AddressNotAvailable, (await PortFacts.MeasureAsync("port", "192.0.2.1", 0, default)).Error);
    }

    [Fact]
    public async Task Another_node_is_reached_or_refuses()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var node = new HostPort("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        Assert.Equal(ReachOutcome.Connected, (await ReachProbe.MeasureAsync(node, null, default)).Outcome);
        listener.Stop();
        Assert.Equal(ReachOutcome.Refused, (await ReachProbe.MeasureAsync(node, null, default)).Outcome);
    }

    [Fact]
    public async Task A_certificate_is_looked_after_and_a_node_without_one_is_noticed()
    {
        var root = Directory.CreateTempSubdirectory("efedllm-test-").FullName;
        try
        {
            using (var authority = CertificateAuthority.Create(Path.Combine(root, "ca"), "test", TimeSpan.FromDays(100)))
            {
                authority.Issue(Path.Combine(root, "node"), "node", ["127.0.0.1"], TimeSpan.FromDays(90));
            }

            var folder = Path.Combine(root, "node");
            Assert.Equal(Verdict.Good, CertificateFacts.Measure(folder, "127.0.0.1", TimeProvider.System).Judge().Verdict);
            Assert.False(CertificateFacts.Measure(folder, "elsewhere", TimeProvider.System).CoversHost);
            Assert.NotNull(CertificateFacts.Measure(Path.Combine(root, "nothing"), "127.0.0.1", TimeProvider.System).Problem);

            using var own = NodeCertificate.Load(folder);
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var reaching = ReachProbe.MeasureAsync(new HostPort("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port), own, default);
            using (await listener.AcceptTcpClientAsync())
            {
                // It hangs up instead of shaking hands.
            }

            Assert.Equal(ReachOutcome.NoTls, (await reaching).Outcome);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public async Task The_clock_is_compared_with_the_gateways()
    {
        await using var server = await TestServer.StartAsync();
        Assert.InRange((await ClockFacts.MeasureAsync(server.Address, TimeProvider.System, default)).AheadSeconds!.Value, -3, 3);
        Assert.InRange((await ClockFacts.MeasureAsync(server.Address, new Late(), default)).AheadSeconds!.Value, 3590, 3610);
        await server.DisposeAsync();
        Assert.NotNull((await ClockFacts.MeasureAsync(server.Address, TimeProvider.System, default)).Problem);
    }

    [Fact]
    public async Task A_check_that_hangs_is_given_up()
    {
        var finding = await Examination.BoundedAsync("disk", limit => Task.Delay(Timeout.Infinite, limit).ContinueWith(_ => Finding.Good("disk", ""), default(CancellationToken)), default, TimeSpan.FromMilliseconds(20));
        Assert.Equal("disk", finding.Check);
        finding = await Examination.BoundedAsync("disk", _ => new TaskCompletionSource<Finding>().Task, default, TimeSpan.FromMilliseconds(20));
        Assert.Equal(Verdict.Doubtful, finding.Verdict);
    }

    private sealed class Late : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddHours(1);
    }
}
