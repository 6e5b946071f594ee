using System.Diagnostics;
using System.Runtime;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Cluster;
using Akka.Configuration;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Supervision;

namespace EFedLLM.Node.Hosting;

/// <summary>One node of a cluster in this process: its actor system with what its roles ask for, and its HTTP interface.</summary>
internal sealed class NodeHost : IAsyncDisposable
{
    private static readonly TimeSpan JoinLimit = TimeSpan.FromSeconds(60);
    // What comes after the drain: handing over, and leaving.
    private static readonly TimeSpan LeaveLimit = TimeSpan.FromSeconds(17);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan FlushLimit = TimeSpan.FromSeconds(1);

    private readonly NodeOptions _options;
    private readonly DataFolder _data;
    private readonly FileLoggerProvider _log;
    private LedgerStore? _ledger;
    private NodeParts? _parts;
    private ActorSystem? _system;

    private NodeHost(NodeOptions options)
    {
        _options = options;
        _data = DataFolder.Claim(options.DataFolder, "node");
        _log = new FileLoggerProvider(_data.Path, options.Verbose, TimeProvider.System);
    }

    /// <summary>What it tells whoever started it.</summary>
    public NodeReady Ready { get; private set; } = null!;

    /// <summary>The cluster as it sees it.</summary>
    public ViewFeed View { get; } = new(new Address("akka", ClusterNames.System));

    /// <summary>Starts a node and waits until the cluster has let it in.</summary>
    /// <param name="options">What it is and does.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="UserErrorException">A port or folder cannot be used, or nobody lets the node in.</exception>
    /// <exception cref="ConfigurationException">A setting is unknown or impossible.</exception>
    public static async Task<NodeHost> StartAsync(NodeOptions options, CancellationToken cancellation)
    {
        var host = new NodeHost(options);
        try
        {
            await host.StartAsync(options, JoinLimit, cancellation);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>How it is asked to leave, and what it tells meanwhile.</summary>
    public LeaveRequest Leaving { get; } = new();

    /// <summary>Runs until it is told to leave or to end. When its cluster removes it, it joins again.</summary>
    /// <param name="leave">Leave the cluster in order: what is under way is finished or handed over first.</param>
    /// <param name="end">End at once: everybody else ends too.</param>
    public async Task RunAsync(CancellationToken leave, CancellationToken end)
    {
        using var told = CancellationTokenSource.CreateLinkedTokenSource(leave, end, Leaving.Asked);
        try
        {
            while (true)
            {
                await _system!.WhenTerminated.WaitAsync(told.Token);
                await RejoinAsync(told.Token);
            }
        }
        catch (OperationCanceledException) when (told.IsCancellationRequested)
        {
            // Told to go.
        }

        if (_system is null || _system.WhenTerminated.IsCompleted)
        {
            // Between two clusters: there is nothing to leave.
            return;
        }

        if (!end.IsCancellationRequested)
        {
            await Task.WhenAny(
                CoordinatedShutdown.Get(_system).Run(CoordinatedShutdown.ClrExitReason.Instance),
                Task.Delay(LeaveLimit + (2 * NodeLimits.Read(_system.Settings.Config).DrainTime), end));
        }
        else
        {
            // The ledger is often in this very process, and what was just answered is not recorded yet.
            await _parts!.FlushAsync(FlushLimit);
        }
    }

    /// <summary>Ends what still runs, without ceremony.</summary>
    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        Leaving.Dispose();
        _log.Dispose();
        _data.Dispose();
    }

    private async Task EndAsync()
    {
        if (_parts is not null)
        {
            await _parts.DisposeAsync();
            _parts = null;
        }

        if (_system is not null)
        {
            await Task.WhenAny(
                CoordinatedShutdown.Get(_system).Run(CoordinatedShutdown.ClrExitReason.Instance, CoordinatedShutdown.PhaseActorSystemTerminate),
                Task.Delay(EndLimit));
        }

        _ledger?.Dispose();
        _ledger = null;
    }

    /// <summary>Comes back after the cluster removed this node: as another member, with the same key and the same data.</summary>
    private async Task RejoinAsync(CancellationToken cancellation)
    {
        if (CoordinatedShutdown.Get(_system!).ShutdownReason is CannotRunReason reason)
        {
            throw new UserErrorException(reason.Message);
        }

        var log = _log.CreateLogger(nameof(NodeHost));
        ThrowIfEvicted();
        Tell("the cluster has removed this node: it was out of reach for too long, or on the side of a broken network that has no majority of anchors. Joining again");

        // An anchor that founded its cluster comes back to the others, where there are any: a second foundation would be a second cluster.
        var self = Cluster.Get(_system!).SelfAddress;
        var anchors = View.Latest.Members
            .Where(member => member.Roles.Contains(NodeRoles.Anchor, StringComparer.Ordinal) && !member.Address.Equals(self) && member.Address.Host is not null)
            .Select(member => new HostPort(member.Address.Host!.Trim('[', ']'), member.Address.Port!.Value).ToString());
        var seeds = _options.Seeds.Union(anchors, StringComparer.Ordinal).ToArray();
        var http = _parts?.Http?.Port;
        for (var attempt = 0; ; attempt++)
        {
            ThrowIfEvicted();
            await EndAsync();
            await Task.Delay(RejoinPauses.Before(attempt), cancellation);
            try
            {
                await StartAsync(_options with { Seeds = seeds, HttpPort = http ?? _options.HttpPort }, Timeout.InfiniteTimeSpan, cancellation);
                Tell($"back in the cluster at {Ready.Address}");
                return;
            }
            catch (Exception error) when (!cancellation.IsCancellationRequested)
            {
                log.LogWarning(error, "Joining again failed");
            }
        }

        void Tell(string words)
        {
            log.LogWarning("{Words}", words);
            Leaving.Tell(words);
        }
    }

    private async Task StartAsync(NodeOptions options, TimeSpan limit, CancellationToken cancellation)
    {
        _ledger = await LedgerStore.OpenAsync(options.ToSettings(), cancellation);
        _system = CreateSystem(_ledger.Settings);
        var cluster = Cluster.Get(_system);
        var view = _system.StartClusterView(options.DataFolder);
        View.Follow(_system, cluster.SelfAddress, view);
        if (options.Seeds.Count == 0)
        {
            // An anchor that knows no other founds the cluster.
            cluster.Join(cluster.SelfAddress);
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(limit);
        try
        {
            _parts = await NodeParts.StartAsync(_system, options, view, View, Leaving, _log, patience.Token);
            await await Task.WhenAny(View.WaitAsync(view => view.IsReachable(cluster.SelfAddress), patience.Token), RemovedAsync(_system));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new UserErrorException(
                $"No cluster let this node in within {limit.TotalSeconds:0} s: is one running at {string.Join(", ", options.Seeds)}, with the same version and, where it uses certificates, the same authority? \"efedllm doctor --join {(options.Seeds.Count > 0 ? options.Seeds[0] : "")}\" looks closer.");
        }

        Ready = new NodeReady
        {
            Ready = true,
            Name = options.Name,
            Pid = Environment.ProcessId,
            Address = new HostPort(cluster.SelfAddress.Host!.Trim('[', ']'), cluster.SelfAddress.Port!.Value).ToString(),
            Http = _parts.Http?.ToString(),
            Device = _parts.Device?.Value,
        };
        LogStart();
    }

    /// <exception cref="UserErrorException">The system has ended by itself: its cluster wanted nothing of it.</exception>
    private static async Task RemovedAsync(ActorSystem system)
    {
        await system.WhenTerminated;
        throw new UserErrorException("The cluster refused this node before it was a member.");
    }

    /// <exception cref="UserErrorException">The cluster has evicted this device, so that there is no coming back.</exception>
    private void ThrowIfEvicted()
    {
        if (_parts?.Device is { } own && NodeIdentity.Of(_system!)?.Revocations.Current.Find(own) is not null)
        {
            throw new UserErrorException($"This device was evicted from the cluster. Its operator can let it in again: efedllm cluster readmit {own}");
        }
    }

    /// <summary>Where a start's time went: most of it is compiling.</summary>
    private void LogStart()
    {
        using var process = Process.GetCurrentProcess();
        _log.CreateLogger(nameof(NodeHost)).LogInformation(
            "{Name} is ready at {Address}: {Cpu:0} ms of processor time, {Methods} methods compiled",
            _options.Name,
            Ready.Address,
            process.TotalProcessorTime.TotalMilliseconds,
            JitInfo.GetCompiledMethodCount());
    }

    private ActorSystem CreateSystem(NodeSettings settings)
    {
        var setup = NodeConfiguration.Setup(settings);
        var ours = ConfigurationFactory.ParseString(AkkaLogger.Settings);
        var bootstrap = setup.Get<BootstrapSetup>().Value;
        try
        {
            return ActorSystem.Create(
                ClusterNames.System,
                setup.And(bootstrap.WithConfig(ours.WithFallback(bootstrap.Config.Value))).And(new AkkaLogSetup(_log)));
        }
        catch (Exception error) when (Find<System.Net.Sockets.SocketException>(error) is { } socket)
        {
            throw new UserErrorException($"This node cannot listen on {settings.Host}:{settings.Port}: {socket.Message}. Choose another with --host and --port.", ExitCodes.Failed, error);
        }
    }

    private static T? Find<T>(Exception error)
        where T : Exception => error switch
    {
        T found => found,
        AggregateException many => many.InnerExceptions.Select(Find<T>).FirstOrDefault(found => found is not null),
        { InnerException: { } inner } => Find<T>(inner),
        _ => null,
    };
}
