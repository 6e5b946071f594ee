using System.CommandLine;
using EFedLLM.Actors.Configuration;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Doctor;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm doctor</c>: what is wrong on this machine, and what to do.</summary>
internal sealed class DoctorCommand : Command
{
    private const int MostSeeds = 32;

    private readonly Option<string[]> _join = new("--join", "--seed", "-s") { Description = "Address of a cluster, as \"efedllm up\" prints it, to try to reach; may be given several times.", HelpName = "host:port" };
    private readonly Option<string?> _gateway = new("--gateway", "-g") { Description = "A gateway whose clock this machine's is compared with. Default: $EFEDLLM_GATEWAY, else the cluster last started here, else none.", HelpName = "url" };
    private readonly Option<string?> _publicHost = new("--public-host") { Description = "Host under which others reach this machine. Default: --host.", HelpName = "host" };
    private readonly Option<int?> _httpPort = new Option<int?>("--http-port") { Description = "Port of an HTTP interface to look at too.", HelpName = "n" }.Between(0, ushort.MaxValue);
    private readonly Option<string?> _data = CommonOptions.Data();
    private readonly Option<bool> _json = CommonOptions.Json();
    private readonly NodeOptionsReader _node;

    public DoctorCommand()
        : base("doctor", "Say what is wrong on this machine and what to do: ports, clock, memory, certificates, reachability, disk. Give it the options that \"join\" would get.")
    {
        Add(_join);
        Add(_gateway);
        _node = new NodeOptionsReader(this);
        foreach (var option in new Option[] { _publicHost, _httpPort, _data, _json })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var findings = await Screen.WaitingAsync("looking", async () => await Examination.RunAsync(Read(parse), TimeProvider.System, cancellation));
        if (parse.GetValue(_json))
        {
            Screen.Json(findings, ApiJson.Default.IReadOnlyListFinding);
        }
        else
        {
            DoctorLines.Print(findings);
        }

        return findings.Any(finding => finding.Verdict == Verdict.Bad) ? ExitCodes.Failed : ExitCodes.Ok;
    }

    /// <summary>What the node would be.</summary>
    /// <exception cref="Akka.Configuration.ConfigurationException">A setting is unknown or impossible; the message names it.</exception>
    private DoctorPlan Read(ParseResult parse)
    {
        var seeds = (parse.GetValue(_join) ?? []).Select(seed => HostPort.Parse(seed, "--join")).Distinct().ToArray();
        if (seeds.Length > MostSeeds)
        {
            throw new UserErrorException($"--join may be given {MostSeeds} times at most.", ExitCodes.Usage);
        }

        // The settings are judged by whoever would use them; an impossible one stops here as it would stop a start.
        var limits = NodeLimits.Read(NodeConfiguration.Build(new NodeSettings
        {
            Roles = [NodeRoles.Device, NodeRoles.Anchor],
            DataFolder = Path.GetTempPath(),
            Profile = _node.Network(parse),
            ConfigurationFile = _node.Configuration(parse),
            MemoryBytes = _node.Memory(parse),
            Threads = _node.Threads(parse),
        }));
        return new DoctorPlan
        {
            Host = _node.Host(parse),
            PublicHost = parse.GetValue(_publicHost),
            Port = _node.Port(parse),
            HttpPort = parse.GetValue(_httpPort),
            MemoryBytes = limits.DeviceMemoryBytes,
            Threads = limits.Threads,
            DataFolder = parse.GetValue(_data) ?? UserFolder.Root,
            CertificateFolder = _node.Certificate(parse),
            Wide = _node.Network(parse) == NetworkProfile.Wan,
            Seeds = seeds,
            Gateway = parse.GetValue(_gateway) is { } named ? GatewayLocator.Find(named)
                : Environment.GetEnvironmentVariable(GatewayLocator.Variable) is { Length: > 0 } || UserFolder.LastCluster() is not null ? GatewayLocator.Find(null) : null,
        };
    }
}
