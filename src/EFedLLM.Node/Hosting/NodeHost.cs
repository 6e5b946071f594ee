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
    private static readonly TimeSpan LeaveLimit = TimeSpan.FromSeconds(12);
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
    public ViewFeed View { get; private set; } = null!;

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
            await host.StartAsync(cancellation);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs until it is told to leave or to end.</summary>
    /// <param name="leave">Leave the cluster in order: what is under way is finished or handed over first.</param>
    /// <param name="end">End at once: everybody else ends too.</param>
    /// <exception cref="UserErrorException">The cluster removed this node.</exception>
    public async Task RunAsync(CancellationToken leave, CancellationToken end)
    {
        using var told = CancellationTokenSource.CreateLinkedTokenSource(leave, end);
        var terminated = _system!.WhenTerminated;
        await Task.WhenAny(terminated, Task.Delay(Timeout.InfiniteTimeSpan, told.Token));
        if (!told.IsCancellationRequested)
        {
            ThrowIfEvicted();
            if (CoordinatedShutdown.Get(_system).ShutdownReason is LedgerConflictReason conflict)
            {
                throw new UserErrorException(conflict.Message);
            }

            throw new UserErrorException(
                $"The cluster has removed this node: it was out of reach for too long, or the anchors are gone. Start it again to join again. Its log is {Path.Combine(_data.Path, NodeFiles.Log)}.");
        }

        if (!end.IsCancellationRequested)
        {
            await Task.WhenAny(
                CoordinatedShutdown.Get(_system).Run(CoordinatedShutdown.ClrExitReason.Instance),
                Task.Delay(LeaveLimit, end));
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
        if (_parts is not null)
        {
            await _parts.DisposeAsync();
        }

        if (_system is not null)
        {
            await Task.WhenAny(
                CoordinatedShutdown.Get(_system).Run(CoordinatedShutdown.ClrExitReason.Instance, CoordinatedShutdown.PhaseActorSystemTerminate),
                Task.Delay(EndLimit));
        }

        _ledger?.Dispose();
        _log.Dispose();
        _data.Dispose();
    }

    private async Task StartAsync(CancellationToken cancellation)
    {
        _ledger = await LedgerStore.OpenAsync(_options.ToSettings(), cancellation);
        _system = CreateSystem(_ledger.Settings);
        var cluster = Cluster.Get(_system);
        var view = _system.StartClusterView();
        View = ViewFeed.Follow(_system, cluster.SelfAddress, view);
        if (_options.Seeds.Count == 0)
        {
            // An anchor that knows no other founds the cluster.
            cluster.Join(cluster.SelfAddress);
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(JoinLimit);
        try
        {
            _parts = await NodeParts.StartAsync(_system, _options, view, View, _log, patience.Token);
            await View.WaitAsync(view => view.IsReachable(cluster.SelfAddress), patience.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new UserErrorException(
                $"No cluster let this node in within {JoinLimit.TotalSeconds:0} s: is one running at {string.Join(", ", _options.Seeds)}, with the same version and, where it uses certificates, the same authority?");
        }

        Ready = new NodeReady
        {
            Ready = true,
            Name = _options.Name,
            Pid = Environment.ProcessId,
            Address = new HostPort(cluster.SelfAddress.Host!.Trim('[', ']'), cluster.SelfAddress.Port!.Value).ToString(),
            Http = _parts.Http?.ToString(),
            Device = _parts.Device?.Value,
        };
        LogStart();
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
            throw new UserErrorException($"This node cannot listen on {_options.Host}:{_options.Port}: {socket.Message}. Choose another with --host and --port.", ExitCodes.Failed, error);
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
