using System.CommandLine;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Node.Supervision;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm up</c>: a whole cluster on this machine with one command, ended with it.</summary>
internal sealed class UpCommand : Command
{
    private const int MostDevices = 64;
    private const int DefaultEnrolPort = 7081;

    private static readonly TimeSpan PlacementLimit = TimeSpan.FromMinutes(2);

    private readonly Option<int?> _devices = new Option<int?>("--devices", "-d") { Description = "Number of device processes. Default: 3.", HelpName = "n" }.Between(1, MostDevices);
    private readonly Option<string?> _model = CommonOptions.ModelFolder();
    private readonly Option<string?> _prompt = new("--prompt", "-p") { Description = "Ask this, print the answer, and end.", HelpName = "text" };
    private readonly Option<int?> _httpPort = new Option<int?>("--http-port")
    {
        Description = $"Port of the HTTP interface; 0 is any free one. Default: {GatewayLocator.DefaultPort}, or any free one where that is taken.",
        HelpName = "n",
    }.Between(0, ushort.MaxValue);

    private readonly Option<string> _httpHost = new("--http-host")
    {
        Description = "Address of the HTTP interface. Anything but this machine's own needs --cert and is HTTPS.",
        HelpName = "address",
        DefaultValueFactory = _ => "127.0.0.1",
    };

    private readonly Option<string?> _trust = new("--trust")
    {
        Description = "Whether the gateway checks what devices compute. Default: on where others can join from elsewhere (--ca) and with --saboteur, else off: all devices are yours then.",
        HelpName = "on|off",
    };

    private readonly Option<string[]> _saboteurs = new("--saboteur")
    {
        Description = $"Make a device do wrong on purpose, to see what becomes of it: its number, what it does, and how often (always where no share is said), for example 2=sign-flip:0.05, or 2=sleeper=1000 for one that is honest for so many tokens. May be given several times. There are {string.Join(", ", Saboteur.Names)}.",
        HelpName = $"n={SaboteurSpec.Help}",
    };

    private readonly Option<string?> _authority = CommonOptions.Authority(
        "Folder of the cluster's authority, made when there is none: its nodes then have certificates, and it can invite other machines and evict them.");

    private readonly Option<int?> _enrolPort = CommonOptions.EnrolPort();
    private readonly Option<string?> _chatTemplate = CommonOptions.ChatTemplate();
    private readonly Option<string?> _data = CommonOptions.Data();
    private readonly Option<bool> _json = CommonOptions.Json();
    private readonly Option<bool> _verbose = CommonOptions.Verbose();
    private readonly NodeOptionsReader _node;
    private readonly GenerationOptions _generation;

    public UpCommand()
        : base("up", "Start a cluster on this machine, show what runs where, and chat with it. Everything ends with the command.")
    {
        _trust.AcceptOnlyFromAmong("on", "off");
        foreach (var option in new Option[] { _devices, _model, _prompt, _httpPort, _httpHost, _authority, _enrolPort, _chatTemplate, _trust, _saboteurs, _data })
        {
            Add(option);
        }

        _node = new NodeOptionsReader(this);
        _generation = new GenerationOptions(this);
        Add(_json);
        Add(_verbose);
        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var request = _generation.Read(parse);
        var prompt = parse.GetValue(_prompt) is { } text ? await BoundedInput.ReadAsync(text, cancellation) : null;
        BindRules.Check(_node.Host(parse), _node.Certificate(parse) is not null || parse.GetValue(_authority) is not null);
        var settings = await ReadAsync(parse, cancellation);
        using var data = DataFolder.Claim(parse.GetValue(_data), "cluster");
        await using var cluster = await Screen.WaitingAsync(
            $"starting {Say.Count(settings.Devices, "device")}, a gateway and a ledger", () => LocalCluster.StartAsync(settings with { DataFolder = data.Path }, cancellation));
        var facts = await Screen.WaitingAsync("placing layers", () => cluster.WaitUntilPlacedAsync(settings.Devices, PlacementLimit, cancellation));
        UserFolder.Remember(new LastCluster(cluster.Gateway.ToString(), cluster.Seed, settings.AuthorityFolder, cluster.TrustFolder));
        await using var gateway = new GatewayHttpClient(cluster.Gateway, null, null, cluster.TrustFolder);
        if (prompt is not null)
        {
            await AnswerPrinter.PrintAsync(gateway, request with { Messages = [new ChatLine("user", prompt)] }, parse.GetValue(_json), cancellation);
            return ExitCodes.Ok;
        }

        var report = await UpReport.OfAsync(cluster, facts);
        if (parse.GetValue(_json))
        {
            Screen.Json(report, ApiJson.Default.UpReport);
            await ServeAsync(cluster, cancellation);
        }
        else
        {
            UpTables.Print(report);
            if (IsEncoder(settings.ModelFolder))
            {
                Screen.Note($"The model is an encoder: it serves embeddings at {report.OpenAi}/embeddings, and there is nobody to chat with. Ctrl-C ends the cluster.");
                await ServeAsync(cluster, cancellation);
                return ExitCodes.Ok;
            }

            await TalkAsync(cluster, gateway, request, cancellation);
        }

        return ExitCodes.Ok;
    }

    private async Task<ClusterSettings> ReadAsync(ParseResult parse, CancellationToken cancellation)
    {
        var named = parse.GetValue(_httpPort);
        var saboteurs = SaboteurSpec.ByDevice(parse.GetValue(_saboteurs) ?? [], parse.GetValue(_devices) ?? 3);
        return new ClusterSettings
        {
            ModelFolder = await ModelPreparation.FactoredAsync(parse.GetValue(_model), cancellation),
            DataFolder = "",
            Devices = parse.GetValue(_devices) ?? 3,
            Threads = _node.Threads(parse),
            RepairTimeout = _node.RepairTimeout(parse),
            MemoryBytes = _node.Memory(parse),
            Host = _node.Host(parse),
            Port = _node.Port(parse),
            HttpHost = parse.GetRequiredValue(_httpHost),
            HttpPort = named ?? (FreePort.IsFree(GatewayLocator.DefaultPort) ? GatewayLocator.DefaultPort : 0),
            ChatTemplate = parse.GetValue(_chatTemplate),
            CertificateFolder = _node.Certificate(parse),
            AuthorityFolder = parse.GetValue(_authority) is { } authority ? Path.GetFullPath(authority) : null,
            EnrolPort = parse.GetValue(_enrolPort) ?? (FreePort.IsFree(DefaultEnrolPort) ? DefaultEnrolPort : 0),
            Profile = _node.Network(parse),
            ConfigurationFile = _node.Configuration(parse),
            LedgerDatabase = _node.LedgerDatabase(parse),
            Trust = parse.GetValue(_trust) is { } trust ? trust == "on" : saboteurs.Count > 0 || parse.GetValue(_authority) is not null,
            Saboteurs = saboteurs,
            Verbose = parse.GetValue(_verbose),
        };
    }

    private static bool IsEncoder(string folder)
    {
        using var model = FactoredModel.Open(folder);
        return model.Shape.Encoder is not null;
    }

    private static async Task TalkAsync(LocalCluster cluster, GatewayHttpClient gateway, GenerateRequest request, CancellationToken cancellation)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var watch = WatchAsync(cluster, over.Token);
        await await Task.WhenAny(ChatAsync(gateway, request, over.Token), watch);
        await over.CancelAsync();
        await watch;
    }

    private static async Task ChatAsync(GatewayHttpClient gateway, GenerateRequest request, CancellationToken cancellation)
    {
        var turns = await new ChatLoop(gateway, request, null).RunAsync(cancellation);
        if (turns == 0 && Console.IsInputRedirected)
        {
            // Started without a terminal, as a service is: there is nobody to chat with, but somebody to serve.
            Screen.Note("There is nothing to read on standard input: serving until Ctrl-C or a request to end.");
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
        }
    }

    private static async Task ServeAsync(LocalCluster cluster, CancellationToken cancellation)
    {
        await WatchAsync(cluster, cancellation);
        cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>Tells of each process that ends; the cluster goes on without it as long as the first one is there.</summary>
    /// <exception cref="UserErrorException">The first one ended.</exception>
    private static async Task WatchAsync(LocalCluster cluster, CancellationToken cancellation)
    {
        foreach (var node in cluster.Nodes)
        {
            node.Told += words => Screen.Note($"{node.Options.Name}: {words}");
        }

        try
        {
            await foreach (var ended in cluster.ExitsAsync(cancellation))
            {
                Screen.Note($"{ended.Options.Name} has ended; its log is {Path.Combine(ended.Options.DataFolder, Hosting.NodeFiles.Log)}.");
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The command ends.
        }
    }
}
