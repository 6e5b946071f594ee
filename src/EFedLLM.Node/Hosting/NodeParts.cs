using System.Security.Cryptography.X509Certificates;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Node.Http;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Hosting;

/// <summary>What a node's roles ask for, started in order: read top to bottom, it is the node's bill of materials.</summary>
internal sealed class NodeParts : IAsyncDisposable
{
    private DeviceKey? _key;
    private NodeCertificate? _certificate;
    private HttpHost? _http;
    private IActorRef? _reporter;

    private NodeParts()
    {
    }

    /// <summary>The device, or null where the node is none.</summary>
    public DeviceId? Device => _key?.Device;

    /// <summary>Base address of the HTTP interface, or null where the node has none.</summary>
    public Uri? Http => _http?.Address;

    /// <summary>Starts them.</summary>
    /// <param name="system">The node's actor system.</param>
    /// <param name="options">What the node is and does.</param>
    /// <param name="view">Its view actor.</param>
    /// <param name="feed">The same for code outside actors.</param>
    /// <param name="log">Takes the log.</param>
    public static async Task<NodeParts> StartAsync(ActorSystem system, NodeOptions options, IActorRef view, ViewFeed feed, ILoggerProvider log)
    {
        var parts = new NodeParts();
        try
        {
            await parts.StartAllAsync(system, options, view, feed, log);
            return parts;
        }
        catch
        {
            await parts.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until the ledger has the node's reports, but not longer than <paramref name="patience"/>.</summary>
    public Task FlushAsync(TimeSpan patience) => _reporter?.FlushReportsAsync(patience) ?? Task.CompletedTask;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_http is not null)
        {
            await _http.DisposeAsync();
        }

        _certificate?.Dispose();
        _key?.Dispose();
    }

    private async Task StartAllAsync(ActorSystem system, NodeOptions options, IActorRef view, ViewFeed feed, ILoggerProvider log)
    {
        var limits = NodeLimits.Read(system.Settings.Config);
        // Devices know nothing of the ledger: their work is reported by gateways.
        var ledger = options.Has(NodeRoles.Ledger) || options.Has(NodeRoles.Gateway) ? system.StartLedger() : ActorRefs.Nobody;
        if (options.Has(NodeRoles.Ledger))
        {
            // Its database opens with the first question, and then the first report need not wait for it.
            ledger.Tell(new ListLedgerDevices(), ActorRefs.Nobody);
        }

        if (options.Has(NodeRoles.Anchor))
        {
            system.StartPlacement(view, limits, options.ExpectedDevices);
        }

        if (options.Has(NodeRoles.Device))
        {
            _key = DeviceKey.LoadOrCreate(Path.Combine(options.DataFolder, NodeFiles.Key));
            system.StartDevice(new DeviceSettings
            {
                DeviceId = _key.Device,
                Name = options.Name,
                ModelFolders = options.ModelFolders,
                Limits = limits,
                View = view,
            });
        }

        if (options.Has(NodeRoles.Gateway))
        {
            await StartGatewayAsync(system, options, limits, view, feed, ledger, log);
        }
    }

    private async Task StartGatewayAsync(
        ActorSystem system, NodeOptions options, NodeLimits limits, IActorRef view, ViewFeed feed, IActorRef ledger, ILoggerProvider log)
    {
        var models = options.ModelFolders.Select(folder => GatewayModel.Open(folder, options.ChatTemplate)).ToList();
        _reporter = system.StartWorkReporter(ledger, TimeProvider.System);
        var gateway = system.StartGateway(new GatewaySettings
        {
            Models = models,
            Limits = limits,
            View = view,
            Reporter = _reporter,
        });
        if (options.HttpPort is not { } port)
        {
            return;
        }

        X509Certificate2? certificate = null;
        if (options.CertificateFolder is { } folder && !BindRules.IsLoopback(options.HttpHost))
        {
            _certificate = NodeCertificate.Load(folder);
            certificate = _certificate.Certificate;
        }

        _http = await HttpHost.StartAsync(
            new HttpHostSettings(options.HttpHost, port, certificate),
            new GatewayBackend(new GatewayClient(system, gateway), models, feed),
            new ClusterApi(feed, Manifests(options.ModelFolders), ledger, limits.CacheShare),
            new HttpApiSettings(limits.HttpBodyBytes, limits.DefaultMaxTokens, limits.MaxTokens),
            log,
            TimeProvider.System);
    }

    private static Dictionary<ModelId, ModelManifest> Manifests(IReadOnlyList<string> folders)
    {
        var manifests = new Dictionary<ModelId, ModelManifest>();
        foreach (var folder in folders.Where(FactoredModel.IsFactored))
        {
            var json = File.ReadAllBytes(Path.Combine(folder, ModelManifest.FileName));
            manifests[ModelManifest.IdOf(json)] = ModelManifest.Parse(json);
        }

        return manifests;
    }
}
