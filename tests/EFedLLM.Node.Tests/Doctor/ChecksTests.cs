using System.Net.Sockets;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Doctor;

namespace EFedLLM.Node.Tests.Doctor;

/// <summary>Tables of what measured facts come to.</summary>
public class ChecksTests
{
    private const long Mega = 1_000_000;

    private static readonly MachineFacts Machine = new()
    {
        Runtime = new Version(10, 0, 1),
        Architecture = "X64",
        Processors = 4,
        VectorBits = 512,
        FreeMemoryBytes = 8000 * Mega,
        HugePages = "madvise",
        OpenFiles = 65536,
    };

    [Theory]
    [InlineData(10, "Good")]
    [InlineData(11, "Good")]
    [InlineData(9, "Bad")]
    public void The_runtime_must_be_new_enough(int major, string expected) =>
        Is(expected, MachineChecks.Runtime(Machine with { Runtime = new Version(major, 0) }));

    [Theory]
    [InlineData(512, 4, "Good", "")]
    [InlineData(128, 1, "Good", "")]
    [InlineData(0, 1, "Doubtful", "AVX2")]
    [InlineData(256, 5, "Doubtful", "--threads 4")]
    public void A_processor_needs_vectors_and_no_more_threads_than_it_has(int bits, int threads, string expected, string advice) =>
        Is(expected, MachineChecks.Processor(Machine with { VectorBits = bits }, threads), advice);

    [Theory]
    [InlineData(true, "Good", "")]
    [InlineData(false, "Bad", "broken")]
    public void A_machine_must_compute_rightly(bool isRight, string expected, string advice) => Is(expected, MachineChecks.Arithmetic(isRight), advice);

    [Theory]
    [InlineData(8000, 2000, "Good", "")]
    [InlineData(2400, 2000, "Doubtful", "a little less")]
    [InlineData(2000, 2000, "Bad", "--memory 1685MB")]
    [InlineData(100, 2000, "Bad", "no memory to give")]
    public void What_a_device_gives_must_be_free(long free, long given, string expected, string advice) =>
        Is(expected, MachineChecks.Memory(Machine with { FreeMemoryBytes = free * Mega }, given * Mega), advice);

    [Fact]
    public void Unknown_memory_is_doubtful() => Is("Doubtful", MachineChecks.Memory(Machine with { FreeMemoryBytes = null }, Mega));

    [Theory]
    [InlineData("always", "Good")]
    [InlineData("madvise", "Good")]
    [InlineData(null, "Good")]
    [InlineData("never", "Doubtful")]
    public void Huge_pages_help(string? setting, string expected) => Is(expected, MachineChecks.HugePages(Machine with { HugePages = setting }));

    [Theory]
    [InlineData(1024L, "Good")]
    [InlineData(null, "Good")]
    [InlineData(512L, "Doubtful")]
    [InlineData(64L, "Bad")]
    public void Connections_need_open_files(long? most, string expected) => Is(expected, MachineChecks.OpenFiles(Machine with { OpenFiles = most }));

    [Theory]
    [InlineData(5000L, null, "Good", "")]
    [InlineData(null, null, "Good", "")]
    [InlineData(1000L, null, "Doubtful", "--data")]
    [InlineData(100L, null, "Bad", "--data")]
    [InlineData(5000L, "Read-only file system", "Bad", "EFEDLLM_HOME")]
    public void A_folder_needs_room_and_must_be_writable(long? free, string? problem, string expected, string advice) =>
        Is(expected, new FolderFacts("/data", free * Mega, problem).Judge(), advice);

    [Theory]
    [InlineData("127.0.0.1", null, false, "Good", "")]
    [InlineData("10.0.0.7", null, true, "Good", "")]
    [InlineData("10.0.0.7", null, false, "Bad", "efedllm cert")]
    [InlineData("127.0.0.1", SocketError.AddressAlreadyInUse, false, "Bad", "another port")]
    [InlineData("10.9.9.9", SocketError.AddressNotAvailable, true, "Bad", "10.0.0.7")]
    [InlineData("127.0.0.1", SocketError.AccessDenied, false, "Bad", "1023")]
    [InlineData("nowhere", SocketError.HostNotFound, true, "Bad", "10.0.0.7")]
    [InlineData("127.0.0.1", SocketError.NoBufferSpaceAvailable, false, "Bad", "")]
    public void A_port_must_be_free_and_the_address_this_machines_own(string host, SocketError? error, bool tls, string expected, string advice) =>
        Is(expected, new PortFacts("port", host, 4053, error).Judge(tls, ["10.0.0.7"]), advice);

    [Theory]
    [InlineData("Connected", 1, "10.0.0.8", false, "Good", "")]
    [InlineData("Connected", 80, "10.0.0.8", false, "Doubtful", "--network wan")]
    [InlineData("Connected", 80, "10.0.0.8", true, "Good", "")]
    [InlineData("Connected", 1, "127.0.0.1", false, "Bad", "--host")]
    [InlineData("Refused", 1, "10.0.0.8", false, "Bad", "efedllm up")]
    [InlineData("Silent", 5000, "10.0.0.8", false, "Bad", "firewall")]
    [InlineData("UnknownName", 1, "10.0.0.8", false, "Bad", "name")]
    [InlineData("NoTls", 1, "10.0.0.8", false, "Bad", "authority")]
    [InlineData("Distrusted", 1, "10.0.0.8", false, "Bad", "another authority")]
    public void Another_node_must_be_reached_and_reach_back(string outcome, double milliseconds, string ownHost, bool wide, string expected, string advice) =>
        Is(expected, new ReachFacts(new HostPort("10.0.0.7", 4053), Enum.Parse<ReachOutcome>(outcome), milliseconds).Judge(ownHost, true, wide), advice);

    [Theory]
    [InlineData(0.4, "Good")]
    [InlineData(-5.5, "Good")]
    [InlineData(7.0, "Doubtful")]
    [InlineData(-50.0, "Doubtful")]
    [InlineData(120.0, "Bad")]
    [InlineData(-86400.0, "Bad")]
    [InlineData(null, "Doubtful")]
    public void A_clock_must_not_be_far_from_the_gateways(double? ahead, string expected) =>
        Is(expected, new ClockFacts(new Uri("http://127.0.0.1:7080"), ahead, 1, ahead is null ? "it does not answer" : null).Judge());

    [Theory]
    [InlineData(null, 0x180, 400, true, false, "Good", "")]
    [InlineData("node.key is missing", 0x180, 400, true, false, "Bad", "efedllm cert issue")]
    [InlineData(null, 0x1A4, 400, true, false, "Bad", "chmod 600")]
    [InlineData(null, 0x180, 3, true, false, "Doubtful", "another one before it ends")]
    [InlineData(null, 0x180, 400, false, false, "Doubtful", "--host")]
    [InlineData(null, 0x180, 400, true, true, "Doubtful", "a machine of its own")]
    public void A_certificate_must_be_usable_secret_and_fresh(string? problem, int mode, double days, bool covers, bool authority, string expected, string advice) =>
        Is(expected, new CertificateFacts("/cert", problem, (UnixFileMode)mode, days, covers, authority).Judge(), advice);

    private static void Is(string expected, Finding finding, string advice = "")
    {
        Assert.Equal(expected, finding.Verdict.ToString());
        Assert.NotEqual("", finding.Found);
        Assert.Equal(expected == "Good", finding.Advice is null);
        Assert.Contains(advice, finding.Advice ?? "", StringComparison.Ordinal);
    }
}
