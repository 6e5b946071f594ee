using Akka.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Configuration;

/// <summary>The settings below <c>efedllm</c>: what a node gives and what it bears. <c>hocon/node.conf</c> says what each does and holds the defaults.</summary>
public sealed record NodeLimits
{
    /// <summary>Most that <see cref="SendDelay"/> may be: a hop that waits so long is not taken for lost.</summary>
    public static TimeSpan MostSendDelay { get; } = TimeSpan.FromSeconds(1);

    /// <summary>Whose the node says that it is, or null.</summary>
    public string? Owner { get; init; }

    /// <summary>Memory a device gives to weights and caches, in bytes.</summary>
    public required long DeviceMemoryBytes { get; init; }

    /// <summary>Bytes of weights that it reads a second, as the planner is told; 0 where that is measured.</summary>
    public required long DeviceBytesPerSecond { get; init; }

    /// <summary>The part of <see cref="DeviceMemoryBytes"/> kept for sessions (KV caches, and what waits to be computed), 0 to 1.</summary>
    public required double CacheShare { get; init; }

    /// <summary>The part of that memory which pages of ended sessions may take, for sessions that begin with the same tokens; 0 to 1. At 0 none are kept.</summary>
    public required double PrefixShare { get; init; }

    /// <summary>Whose prompts share what was computed of the same first tokens.</summary>
    public required PrefixSharing PrefixSharing { get; init; }

    /// <summary>Compute threads of a device: as many as the machine has processors, where the setting is 0.</summary>
    public required int Threads { get; init; }

    /// <summary>Most sessions of one loaded range.</summary>
    public required int DeviceMaxSessions { get; init; }

    /// <summary>Most rows computed as one batch.</summary>
    public required int BatchRows { get; init; }

    /// <summary>When a silent session is forgotten.</summary>
    public required TimeSpan IdleSession { get; init; }

    /// <summary>How long a device that leaves waits for others to take over, and as long again for its sessions.</summary>
    public required TimeSpan DrainTime { get; init; }

    /// <summary>How long what a device computed waits before it leaves: a slow network, to measure with.</summary>
    public required TimeSpan SendDelay { get; init; }

    /// <summary>Most generations of a gateway at a time.</summary>
    public required int GatewayMaxSessions { get; init; }

    /// <summary>Most prompts that wait.</summary>
    public required int MaxQueued { get; init; }

    /// <summary>How long a prompt may wait for a place.</summary>
    public required TimeSpan QueueTimeout { get; init; }

    /// <summary>How long a prompt waits for a route.</summary>
    public required TimeSpan RouteTimeout { get; init; }

    /// <summary>Most tokens a request may ask for.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>Tokens a request gets that names no number; at most <see cref="MaxTokens"/>.</summary>
    public required int DefaultMaxTokens { get; init; }

    /// <summary>Most tokens of a prompt.</summary>
    public required int MaxPromptTokens { get; init; }

    /// <summary>Most characters of a prompt.</summary>
    public required int MaxPromptCharacters { get; init; }

    /// <summary>The largest body of an HTTP request, in bytes.</summary>
    public required long HttpBodyBytes { get; init; }

    /// <summary>Most prompt tokens in one step.</summary>
    public required int PromptChunk { get; init; }

    /// <summary>Most tokens that are guessed ahead in one step; 0 is none.</summary>
    public required int Drafts { get; init; }

    /// <summary>How long hops may take to open a session.</summary>
    public required TimeSpan OpenDeadline { get; init; }

    /// <summary>How long a route may go without progress.</summary>
    public required TimeSpan StepDeadline { get; init; }

    /// <summary>What each position under way adds to <see cref="StepDeadline"/>.</summary>
    public required TimeSpan RowDeadline { get; init; }

    /// <summary>How long a hop may take to say that it is there.</summary>
    public required TimeSpan ProbeDeadline { get; init; }

    /// <summary>How long a hop whose connection broke may take to answer over another one.</summary>
    public required TimeSpan ReconnectDeadline { get; init; }

    /// <summary>How long a session that lost a hop waits for devices that cover the model again.</summary>
    public required TimeSpan RepairTimeout { get; init; }

    /// <summary>Most reports that wait for a ledger.</summary>
    public required int OutboxReports { get; init; }

    /// <summary>Most bytes of them.</summary>
    public required long OutboxBytes { get; init; }

    /// <summary>Reads and judges the settings of a whole configuration.</summary>
    /// <param name="configuration">As <see cref="NodeConfiguration.Build(NodeSettings)"/> returns it.</param>
    /// <exception cref="ConfigurationException">A value is impossible; the message names its key.</exception>
    public static NodeLimits Read(Config configuration)
    {
        var day = TimeSpan.FromDays(1);
        var device = new SettingsReader(configuration, "efedllm.device");
        var gateway = new SettingsReader(configuration, "efedllm.gateway");
        var pipeline = new SettingsReader(configuration, "efedllm.pipeline");
        var outbox = new SettingsReader(configuration, "efedllm.outbox");
        var maxTokens = gateway.Integer("max-tokens", 1, ProtocolLimits.SessionTokens);
        return new NodeLimits
        {
            Owner = device.Text("owner", OwnerName.Problem, $"nothing, or 1 to {OwnerName.MostCharacters} printable characters without blanks around them,"),
            DeviceMemoryBytes = device.Bytes("memory", 1 << 20, 1L << 50),
            DeviceBytesPerSecond = device.Bytes("speed", 0, 1L << 50),
            CacheShare = device.Share("cache-share"),
            PrefixShare = device.Share("prefix-share"),
            PrefixSharing = gateway.Choice("prefix-sharing", ("off", PrefixSharing.Off), ("key", PrefixSharing.Key), ("all", PrefixSharing.All)),
            Threads = device.Integer("threads", 0, 1024) is var threads and > 0 ? threads : Environment.ProcessorCount,
            DeviceMaxSessions = device.Integer("max-sessions", 1, 65536),
            BatchRows = device.Integer("batch-rows", 1, 65536),
            IdleSession = device.Duration("idle-session", TimeSpan.FromSeconds(1), day),
            DrainTime = device.Duration("drain-time", TimeSpan.Zero, TimeSpan.FromHours(12)),
            SendDelay = device.Duration("send-delay", TimeSpan.Zero, MostSendDelay),
            GatewayMaxSessions = gateway.Integer("max-sessions", 1, 65536),
            MaxQueued = gateway.Integer("max-queued", 1, 1 << 20),
            QueueTimeout = gateway.Duration("queue-timeout", TimeSpan.FromMilliseconds(1), day),
            RouteTimeout = gateway.Duration("route-timeout", TimeSpan.FromMilliseconds(1), day),
            MaxTokens = maxTokens,
            DefaultMaxTokens = gateway.Integer("default-max-tokens", 1, maxTokens),
            MaxPromptTokens = gateway.Integer("max-prompt-tokens", 1, ProtocolLimits.SessionTokens),
            MaxPromptCharacters = gateway.Integer("max-prompt-characters", 1, ProtocolLimits.PromptCharacters),
            HttpBodyBytes = gateway.Bytes("http-body", 1024, 1 << 30),
            PromptChunk = pipeline.Integer("prompt-chunk", 1, ProtocolLimits.TokensPerFeed),
            Drafts = pipeline.Integer("drafts", 0, ProtocolLimits.Drafts),
            OpenDeadline = pipeline.Duration("open-deadline", TimeSpan.FromMilliseconds(1), day),
            StepDeadline = pipeline.Duration("step-deadline", TimeSpan.FromMilliseconds(1), day),
            RowDeadline = pipeline.Duration("row-deadline", TimeSpan.Zero, day),
            ProbeDeadline = pipeline.Duration("probe-deadline", TimeSpan.FromMilliseconds(1), day),
            ReconnectDeadline = pipeline.Duration("reconnect-deadline", TimeSpan.FromMilliseconds(1), day),
            RepairTimeout = pipeline.Duration("repair-timeout", TimeSpan.FromMilliseconds(1), day),
            OutboxReports = outbox.Integer("reports", 1, 1_000_000),
            OutboxBytes = outbox.Bytes("size", 64 << 10, 1 << 30),
        };
    }
}
