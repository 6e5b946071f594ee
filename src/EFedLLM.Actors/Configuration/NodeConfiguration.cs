using System.Collections;
using System.Net;
using System.Reflection;
using System.Text;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Persistence.Sql;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Configuration;

/// <summary>
/// The configuration of a node's actor system: the command line's settings, over environment variables, over the user's file, over
/// the reference settings of <c>hocon/</c> (which are part of this assembly), over Akka's own.
/// </summary>
public static class NodeConfiguration
{
    private const int MaxFileBytes = 1 << 20;
    private static readonly TimeSpan DrainSlack = TimeSpan.FromSeconds(5);

    private const int LeastFrameBytes = ProtocolLimits.RowBytes + (64 * 1024);

    // Where our own keys are: whatever else stands below efedllm is a mistake.
    private static readonly string[] Own = ["node.conf", "trust.conf"];

    private static readonly string[] Reference =
        ["node.conf", "trust.conf", "remote.conf", "serialization.conf", "sharding.conf", "persistence.conf", "dispatchers.conf", "cluster.conf"];

    /// <summary>The configuration for <paramref name="settings"/> and this process's environment.</summary>
    /// <exception cref="ConfigurationException">A setting is unknown or impossible; the message names it.</exception>
    public static Config Build(NodeSettings settings) => Build(settings, Environment.GetEnvironmentVariables());

    /// <summary>The configuration for <paramref name="settings"/> and an environment.</summary>
    /// <param name="settings">The command line's settings.</param>
    /// <param name="environment">Environment variables; those with the prefix <c>EFEDLLM__</c> are settings.</param>
    /// <exception cref="ConfigurationException">A setting is unknown or impossible; the message names it.</exception>
    public static Config Build(NodeSettings settings, IDictionary environment)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(environment);
        Check(settings);

        var known = new KnownKeys(Own.Select(Resource));
        var configuration = ConfigurationFactory.ParseString(Render(settings))
            .WithFallback(EnvironmentOverrides.Read(environment, known));
        if (settings.ConfigurationFile is { } file)
        {
            var user = Read(file);
            known.Check(user, $"The file {file}");
            configuration = configuration.WithFallback(user);
        }

        if (settings.Profile == NetworkProfile.Wan)
        {
            configuration = configuration.WithFallback(Resource("cluster-wan.conf"));
        }

        configuration = WithJournal(configuration, settings);
        configuration = Reference.Aggregate(configuration, (whole, name) => whole.WithFallback(Resource(name)))
            .WithFallback(SqlPersistence.DefaultConfiguration);
        _ = new SettingsReader(configuration, "akka.remote.dot-netty.tcp").Bytes("maximum-frame-size", LeastFrameBytes, 64 << 20);
        _ = BlobLimits.Read(configuration);
        _ = TrustSettings.Read(configuration);
        return ConfigurationFactory.ParseString(Phases(NodeLimits.Read(configuration))).WithFallback(configuration);
    }

    /// <summary>Everything an actor system starts with: <see cref="Build(NodeSettings)"/>, and mutual TLS where certificates are named.</summary>
    /// <exception cref="ConfigurationException">A setting is unknown or impossible, or the certificates cannot be used; the message names it.</exception>
    public static ActorSystemSetup Setup(NodeSettings settings)
    {
        var bootstrap = BootstrapSetup.Create().WithConfig(Build(settings));
        if (settings.CertificateFolder is not { } folder)
        {
            return ActorSystemSetup.Create(bootstrap);
        }

        try
        {
            var identity = NodeIdentity.Load(folder, settings.DataFolder);
            return bootstrap.And(identity.Certificate.TransportSetup()).And(identity);
        }
        catch (InvalidDataException e)
        {
            throw new ConfigurationException(e.Message, e);
        }
    }

    /// <summary>The address of a seed.</summary>
    /// <param name="seed">A <c>host:port</c>; an IPv6 address in brackets.</param>
    /// <param name="tls">Whether the cluster uses TLS.</param>
    /// <exception cref="ConfigurationException">The text is something else.</exception>
    public static Address SeedAddress(string seed, bool tls)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var colon = seed.LastIndexOf(':');
        var host = colon > 0 ? seed[..colon] : "";

        // Akka keeps an IPv6 address in brackets; without them its colons are not to be told from the port's.
        var bracketed = host.StartsWith('[') && host.EndsWith(']');
        var possible = bracketed
            ? IPAddress.TryParse(host, out _)
            : !host.Contains(':', StringComparison.Ordinal) && Uri.CheckHostName(host) != UriHostNameType.Unknown;
        return possible && ushort.TryParse(seed.AsSpan(colon + 1), out var port) && port > 0
            ? new Address(tls ? "akka.ssl.tcp" : "akka.tcp", ClusterNames.System, host, port)
            : throw new ConfigurationException($"The seed '{seed}' is not host:port.");
    }

    /// <summary>A node that leaves may take as long as it was given: first for others to take over, then for what it has under way.</summary>
    private static string Phases(NodeLimits limits)
        => $"akka.coordinated-shutdown.phases.{CoordinatedShutdown.PhaseBeforeServiceUnbind}.timeout = {(int)((2 * limits.DrainTime) + DrainSlack).TotalMilliseconds} ms";

    private static void Check(NodeSettings settings)
    {
        var tls = settings.CertificateFolder is not null;
        BindRules.Check(settings.Host, tls);
        if (settings.Port is < 0 or > ushort.MaxValue)
        {
            throw new ConfigurationException($"The port {settings.Port} is impossible: 0 (any free one) to {ushort.MaxValue}.");
        }

        if (settings.Roles.IsDefaultOrEmpty)
        {
            throw new ConfigurationException($"A node needs a role: {string.Join(", ", ClusterNames.Roles)}.");
        }

        foreach (var role in settings.Roles)
        {
            if (!ClusterNames.Roles.Contains(role, StringComparer.Ordinal))
            {
                throw new ConfigurationException($"'{role}' is no role. There are: {string.Join(", ", ClusterNames.Roles)}.");
            }
        }

        if (settings.Seeds.IsDefaultOrEmpty && !settings.Roles.Contains(ClusterNames.Anchor, StringComparer.Ordinal))
        {
            throw new ConfigurationException("A node that is no anchor needs the address of one to join (--seed host:port).");
        }

        if (string.IsNullOrWhiteSpace(settings.DataFolder))
        {
            throw new ConfigurationException("A node needs a data folder (--data).");
        }

        var shown = settings.PublicHost ?? settings.Host;
        if (IPAddress.TryParse(shown, out var address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)))
        {
            throw new ConfigurationException($"Others cannot reach this node under '{shown}': name the host under which they can.");
        }
    }

    private static string Render(NodeSettings settings)
    {
        var tls = settings.CertificateFolder is not null;
        var hocon = new StringBuilder();
        void Line(string key, string value) => hocon.Append(key).Append(" = ").AppendLine(value);

        Line("akka.remote.dot-netty.tcp.hostname", Hocon.Quote(settings.Host));
        Line("akka.remote.dot-netty.tcp.port", $"{settings.Port}");
        Line("akka.remote.dot-netty.tcp.enable-ssl", tls ? "on" : "off");
        if (settings.PublicHost is { } shown)
        {
            Line("akka.remote.dot-netty.tcp.public-hostname", Hocon.Quote(shown));
        }

        var seeds = settings.Seeds.IsDefault ? [] : settings.Seeds;
        Line("akka.cluster.seed-nodes", Hocon.List(seeds.Select(seed => SeedAddress(seed, tls).ToString())));
        Line("akka.cluster.roles", Hocon.List(settings.LedgerRole is { } ledger ? settings.Roles.Add(ledger) : settings.Roles));
        Line("akka.cluster.app-version", Hocon.Quote(typeof(NodeConfiguration).Assembly.GetName().Version!.ToString(3)));
        if (settings.LedgerDatabase is { } database)
        {
            Line(LedgerDatabase.Key, Hocon.Quote(database));
        }

        if (settings.MemoryBytes is { } memory)
        {
            Line("efedllm.device.memory", $"{memory}b");
        }

        if (settings.Threads is { } threads)
        {
            Line("efedllm.device.threads", $"{threads}");
        }

        if (settings.Trust is { } trust)
        {
            Line("efedllm.trust.mode", trust ? "on" : "off");
        }

        if (settings.RepairTimeout is { } patience)
        {
            Line("efedllm.pipeline.repair-timeout", $"{(long)patience.TotalMilliseconds} ms");
        }

        return hocon.ToString();
    }

    /// <summary>Only a ledger node has a journal: elsewhere a persistent actor fails for want of a data source, which is what it should do.</summary>
    private static Config WithJournal(Config configuration, NodeSettings settings)
    {
        if (!settings.Roles.Contains(ClusterNames.Ledger, StringComparer.Ordinal))
        {
            return configuration;
        }

        var database = LedgerDatabase.Of(configuration.WithFallback(Resource("node.conf")).GetString(LedgerDatabase.Key, ""), settings.DataFolder);
        var source = new StringBuilder();
        foreach (var plugin in new[] { "akka.persistence.journal.sql", "akka.persistence.snapshot-store.sql", "akka.persistence.query.journal.sql" })
        {
            source.AppendLine($"{plugin}.connection-string = {Hocon.Quote(database.ConnectionString)}");
            source.AppendLine($"{plugin}.provider-name = {Hocon.Quote(database.Provider)}");
        }

        configuration = ConfigurationFactory.ParseString(source.ToString()).WithFallback(configuration);
        return database.IsShared ? configuration.WithFallback(Resource("persistence-postgresql.conf")) : configuration;
    }

    private static Config Read(string file)
    {
        string text;
        try
        {
            if (new FileInfo(file).Length > MaxFileBytes)
            {
                throw new ConfigurationException($"The file {file} is longer than {MaxFileBytes} bytes: it is no configuration.");
            }

            text = File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"The file {file} cannot be read: {e.Message}", e);
        }

        try
        {
            return ConfigurationFactory.ParseString(text);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The parser throws whatever it trips over; to the user it is one thing.
            throw new ConfigurationException($"The file {file} is not HOCON: {e.Message}", e);
        }
    }

    /// <summary>Reference settings that are part of this build, by the name of their file.</summary>
    internal static Config Resource(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"hocon/{name}")
            ?? throw new ConfigurationException($"The reference settings {name} are not part of this build.");
        using var reader = new StreamReader(stream);
        return ConfigurationFactory.ParseString(reader.ReadToEnd());
    }
}
