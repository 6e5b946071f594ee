using System.Collections;
using Akka.Actor;
using Akka.Configuration;
using EFedLLM.Actors.Configuration;

namespace EFedLLM.Actors.Tests.Configuration;

public sealed class NodeConfigurationTests : IDisposable
{
    private static readonly NodeSettings Anchor = new() { Roles = [ClusterNames.Anchor, ClusterNames.Gateway], DataFolder = "data" };

    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void The_reference_settings_are_complete_and_possible()
    {
        var limits = NodeLimits.Read(Build(Anchor));
        Assert.Equal(Environment.ProcessorCount, limits.Threads);
        Assert.Equal(2L << 30, limits.DeviceMemoryBytes);
        Assert.Equal(8 << 20, limits.HttpBodyBytes);
        Assert.Equal(0.25, limits.CacheShare);
        Assert.Equal(TimeSpan.FromMilliseconds(200), limits.RowDeadline);
        Assert.Equal(TimeSpan.FromMinutes(2), limits.IdleSession);
    }

    [Fact]
    public void Settings_become_the_keys_that_Akka_reads()
    {
        var configuration = Build(Anchor with { Host = "127.0.0.1", Port = 4053, Seeds = ["127.0.0.1:4053", "[::1]:4054"], MemoryBytes = 123 << 20, Threads = 3 });
        Assert.Equal("127.0.0.1", configuration.GetString("akka.remote.dot-netty.tcp.hostname"));
        Assert.Equal(4053, configuration.GetInt("akka.remote.dot-netty.tcp.port"));
        Assert.False(configuration.GetBoolean("akka.remote.dot-netty.tcp.enable-ssl", true));
        Assert.Equal(["akka.tcp://efedllm@127.0.0.1:4053", "akka.tcp://efedllm@[::1]:4054"], configuration.GetStringList("akka.cluster.seed-nodes"));
        Assert.Equal(["anchor", "gateway"], configuration.GetStringList("akka.cluster.roles"));
        Assert.Equal("anchor", configuration.GetString("akka.cluster.split-brain-resolver.keep-majority.role"));
        Assert.True(configuration.GetBoolean("akka.remote.untrusted-mode", false));
        Assert.Equal(123 << 20, NodeLimits.Read(configuration).DeviceMemoryBytes);
        Assert.Equal(3, NodeLimits.Read(configuration).Threads);
    }

    [Fact]
    public void Every_name_of_the_cluster_that_is_reached_by_path_is_trusted()
    {
        var trusted = Build(Anchor).GetStringList("akka.remote.trusted-selection-paths");
        Assert.Contains($"/system/sharding/{ClusterNames.LedgerType}", trusted);
        Assert.Contains($"/system/sharding/{ClusterNames.LedgerType}Coordinator/singleton/coordinator", trusted);
        Assert.Contains($"/user/{ClusterNames.PlacementActor}/singleton", trusted);
        Assert.Contains($"/user/{ClusterNames.GatewayActor}", trusted);
    }

    [Fact]
    public void Only_a_ledger_node_has_a_journal()
    {
        Assert.Equal("", Build(Anchor).GetString("akka.persistence.journal.sql.connection-string"));
        var ledger = Build(Anchor with { Roles = [ClusterNames.Anchor, ClusterNames.Ledger] });
        foreach (var plugin in new[] { "journal", "snapshot-store" })
        {
            Assert.Equal($"Data Source={Path.GetFullPath("data/ledger.db")}", ledger.GetString($"akka.persistence.{plugin}.sql.connection-string"));
            Assert.Equal("SQLite.MS", ledger.GetString($"akka.persistence.{plugin}.sql.provider-name"));
        }
    }

    [Fact]
    public void A_database_for_the_ledger_is_named_on_the_command_line_in_the_environment_in_a_file_or_in_a_file_of_its_own()
    {
        const string Connection = "Host=db;Database=efedllm;Username=me;Password=s3cret";
        var ledger = Anchor with { Roles = [ClusterNames.Anchor, ClusterNames.Ledger] };
        File.WriteAllText(_file, Connection + "\n");
        var environment = new Hashtable { ["EFEDLLM__LEDGER__DATABASE"] = Connection };
        var sources = new List<Config>
        {
            Build(ledger with { LedgerDatabase = Connection }), Build(ledger with { LedgerDatabase = "@" + _file }), NodeConfiguration.Build(ledger, environment),
        };
        File.WriteAllText(_file, $"efedllm.ledger.database = \"{Connection}\"");
        sources.Add(Build(ledger with { ConfigurationFile = _file }));
        foreach (var configuration in sources)
        {
            foreach (var plugin in new[] { "journal", "snapshot-store" })
            {
                Assert.Contains("Host=db;", configuration.GetString($"akka.persistence.{plugin}.sql.connection-string"), StringComparison.Ordinal);
                Assert.Contains("Password=s3cret", configuration.GetString($"akka.persistence.{plugin}.sql.connection-string"), StringComparison.Ordinal);
                Assert.Equal("PostgreSQL.15", configuration.GetString($"akka.persistence.{plugin}.sql.provider-name"));
                Assert.Equal("efedllm", configuration.GetString($"akka.persistence.{plugin}.sql.default.schema-name"));
            }

            Assert.Equal(4, configuration.GetInt("akka.persistence.journal.sql.parallelism"));
            Assert.False(configuration.GetBoolean("akka.persistence.journal.sql.auto-initialize", true));
        }

        Assert.Equal("", NodeConfiguration.Build(Anchor, environment).GetString("akka.persistence.journal.sql.connection-string"));
    }

    [Theory]
    [InlineData("Host=db;Database=x;Passwort=s3cret")]
    [InlineData("Host=db;Database=x;Password=abc;s3cret=1")]
    [InlineData("Host=db;Database=x;Port=s3cret")]
    [InlineData("Host=db;Password=s3cret")]
    [InlineData("Database=x;Password=s3cret")]
    [InlineData("postgresql://me:s3cret@db/x")]
    [InlineData("Data Source=s3cret.db")]
    [InlineData("s3cret")]
    [InlineData("@/no/such/file")]
    [InlineData("@")]
    [InlineData("Host=db;Database=x;Password=s3cret;Application Name=LONG")]
    public void A_database_that_is_none_stops_the_start_without_showing_its_text(string database)
    {
        var text = database.Replace("LONG", new string('x', 5000), StringComparison.Ordinal);
        var error = Assert.Throws<ConfigurationException>(() => Build(Anchor with { Roles = [ClusterNames.Anchor, ClusterNames.Ledger], LedgerDatabase = text }));
        Assert.Contains("efedllm.ledger.database", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_database_file_that_is_empty_or_huge_is_named_and_neither_settings_nor_database_show_a_password()
    {
        var ledger = Anchor with { Roles = [ClusterNames.Anchor, ClusterNames.Ledger], LedgerDatabase = "@" + _file };
        Assert.Contains(_file, Assert.Throws<ConfigurationException>(() => Build(ledger)).Message, StringComparison.Ordinal);
        File.WriteAllText(_file, new string('#', 5000));
        Assert.Contains(_file, Assert.Throws<ConfigurationException>(() => Build(ledger)).Message, StringComparison.Ordinal);

        const string Connection = "Host=db;Port=5433;Database=efedllm;Username=me;Password=s3cret";
        Assert.DoesNotContain("s3cret", (ledger with { LedgerDatabase = Connection }).ToString(), StringComparison.Ordinal);
        Assert.Equal("the PostgreSQL database efedllm at db:5433", LedgerDatabase.Of(Connection, "data").ToString());
    }

    [Fact]
    public void A_network_of_homes_is_given_more_patience()
    {
        var lan = Build(Anchor);
        var wan = Build(Anchor with { Profile = NetworkProfile.Wan });
        const string Pause = "akka.cluster.failure-detector.acceptable-heartbeat-pause";
        Assert.Equal(TimeSpan.FromSeconds(3), lan.GetTimeSpan(Pause));
        Assert.Equal(TimeSpan.FromSeconds(8), wan.GetTimeSpan(Pause));
        Assert.Equal("anchor", wan.GetString("akka.cluster.split-brain-resolver.keep-majority.role"));
    }

    [Fact]
    public void The_command_line_comes_before_the_environment_and_that_before_the_file_and_that_before_the_reference()
    {
        File.WriteAllText(_file, "efedllm { device { threads = 2, batch-rows = 22 }\n gateway.max-queued = 222 }\nakka.loglevel = DEBUG");
        var environment = new Hashtable { ["EFEDLLM__DEVICE__THREADS"] = "3", ["EFEDLLM__DEVICE__BATCH_ROWS"] = "33", ["PATH"] = "/bin", ["EFEDLLM_HOME"] = "/x" };
        var configuration = NodeConfiguration.Build(Anchor with { ConfigurationFile = _file, Threads = 4 }, environment);
        var limits = NodeLimits.Read(configuration);
        Assert.Equal(4, limits.Threads);
        Assert.Equal(33, limits.BatchRows);
        Assert.Equal(222, limits.MaxQueued);
        Assert.Equal(64, limits.DeviceMaxSessions);
        Assert.Equal("DEBUG", configuration.GetString("akka.loglevel"));
    }

    [Fact]
    public void A_node_is_nobodys_unless_somebody_says_whose_it_is()
    {
        Assert.Null(NodeLimits.Read(Build(Anchor)).Owner);
        Assert.Equal("Anna Ö.", NodeLimits.Read(NodeConfiguration.Build(Anchor, new Hashtable { ["EFEDLLM__DEVICE__OWNER"] = "Anna Ö." })).Owner);
    }

    [Theory]
    [InlineData("efedllm.gateway.max-session = 1", "efedllm.gateway.max-session,", "max-sessions")]
    [InlineData("efedllm.gatway.max-sessions = 1", "efedllm.gatway.max-sessions", "efedllm.gateway")]
    [InlineData("efedllm.device = 1", "efedllm.device", "")]
    [InlineData("max-sessions = 1", "max-sessions", "akka and efedllm")]
    [InlineData("efedllm.gateway.max-sessions = 0", "efedllm.gateway.max-sessions", "1 to 65536")]
    [InlineData("efedllm.gateway.max-sessions = many", "efedllm.gateway.max-sessions", "many")]
    [InlineData("efedllm.gateway.max-sessions = 1.5", "efedllm.gateway.max-sessions", "1.5")]
    [InlineData("efedllm.gateway.max-sessions = 99999999999", "efedllm.gateway.max-sessions", "99999999999")]
    [InlineData("efedllm.gateway.max-sessions = [1]", "efedllm.gateway.max-sessions", "")]
    [InlineData("efedllm.gateway.max-sessions = { a = 1 }", "efedllm.gateway.max-sessions.a", "no setting")]
    [InlineData("efedllm.gateway.default-max-tokens = 9000", "efedllm.gateway.default-max-tokens", "8192")]
    [InlineData("efedllm.gateway.http-body = 8 bananas", "efedllm.gateway.http-body", "bananas")]
    [InlineData("efedllm.device.memory = 1", "efedllm.device.memory", "512 MiB")]
    [InlineData("efedllm.device.memory = lots", "efedllm.device.memory", "lots")]
    [InlineData("efedllm.device.cache-share = 1.5", "efedllm.device.cache-share", "0 to 1")]
    [InlineData("efedllm.device.cache-share = NaN", "efedllm.device.cache-share", "0 to 1")]
    [InlineData("efedllm.device.send-delay = 1001 ms", "efedllm.device.send-delay", "00:00:00 to 00:00:01")]
    [InlineData("efedllm.device.send-delay = infinite", "efedllm.device.send-delay", "infinite")]
    [InlineData("efedllm.pipeline.drafts = 16", "efedllm.pipeline.drafts", "0 to 15")]
    [InlineData("efedllm.pipeline.drafts = -1", "efedllm.pipeline.drafts", "0 to 15")]
    [InlineData("efedllm.device.owner = [1]", "efedllm.device.owner", "")]
    [InlineData("efedllm.device.owner = \"a\\u200bb\"", "efedllm.device.owner", "64 printable characters")]
    [InlineData("efedllm.device.owner = \"a\\u0007\"", "efedllm.device.owner", "64 printable characters")]
    [InlineData("efedllm.device.owner = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "efedllm.device.owner", "64 printable characters")]
    [InlineData("efedllm.outbox.reports = 0", "efedllm.outbox.reports", "1 to 1000000")]
    [InlineData("efedllm.outbox.size = 1 KiB", "efedllm.outbox.size", "65536")]
    [InlineData("efedllm.pipeline.step-deadline = 0", "efedllm.pipeline.step-deadline", "")]
    [InlineData("efedllm.pipeline.step-deadline = soon", "efedllm.pipeline.step-deadline", "soon")]
    [InlineData("efedllm.pipeline.step-deadline = infinite", "efedllm.pipeline.step-deadline", "infinite")]
    [InlineData("akka.remote.dot-netty.tcp.maximum-frame-size = 32000b", "akka.remote.dot-netty.tcp.maximum-frame-size", "")]
    [InlineData("efedllm.device { threads = 2 }, x", "HOCON", "")]
    [InlineData("akka.loglevel = ${nowhere}", "HOCON", "nowhere")]
    [InlineData("include \"other.conf\"", "HOCON", "")]
    public void A_file_with_an_unknown_or_impossible_setting_stops_the_start_and_names_it(string hocon, string key, string hint)
    {
        File.WriteAllText(_file, hocon);
        var error = Assert.Throws<ConfigurationException>(() => Build(Anchor with { ConfigurationFile = _file }));
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
        Assert.Contains(hint, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("EFEDLLM__GATEWAY__MAX_SESSION", "1")]
    [InlineData("EFEDLLM__", "1")]
    [InlineData("EFEDLLM__AKKA__LOGLEVEL", "DEBUG")]
    [InlineData("EFEDLLM__GATEWAY__MAX_SESSIONS", "-1")]
    [InlineData("EFEDLLM__GATEWAY__MAX_SESSIONS", "1 } \" { \n akka.loglevel = OFF")]
    [InlineData("EFEDLLM__GATEWAY__MAX_SESSIONS", "")]
    public void An_unknown_or_impossible_environment_variable_stops_the_start_and_is_named(string name, string value)
    {
        var error = Assert.Throws<ConfigurationException>(() => NodeConfiguration.Build(Anchor, new Hashtable { [name] = value }));
        Assert.Matches(name == "EFEDLLM__GATEWAY__MAX_SESSIONS" ? "efedllm.gateway.max-sessions" : name, error.Message);
    }

    [Fact]
    public void A_file_that_is_missing_or_huge_is_named()
    {
        Assert.Contains("nowhere.conf", Assert.Throws<ConfigurationException>(() => Build(Anchor with { ConfigurationFile = "nowhere.conf" })).Message, StringComparison.Ordinal);
        File.WriteAllText(_file, new string('#', (1 << 20) + 1));
        Assert.Contains(_file, Assert.Throws<ConfigurationException>(() => Build(Anchor with { ConfigurationFile = _file })).Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, NodeSettings> ImpossibleSettings() => new()
    {
        { "role", Anchor with { Roles = [] } },
        { "king", Anchor with { Roles = ["king"] } },
        { "--seed", Anchor with { Roles = [ClusterNames.Device] } },
        { "70000", Anchor with { Port = 70_000 } },
        { "data folder", Anchor with { DataFolder = " " } },
        { "efedllm cert", Anchor with { Host = "0.0.0.0" } },
        { "efedllm cert", Anchor with { Host = "192.168.1.5" } },
        { "efedllm cert", Anchor with { Host = "some-host" } },
        { "0.0.0.0", Anchor with { Host = "0.0.0.0", CertificateFolder = "certificates" } },
        { "'nonsense'", Anchor with { Seeds = ["nonsense"] } },
        { "'[nonsense]:4053'", Anchor with { Seeds = ["[nonsense]:4053"] } },
        { "'::1:4053'", Anchor with { Seeds = ["::1:4053"] } },
        { "'host:0'", Anchor with { Seeds = ["host:0"] } },
        { "'a b:1'", Anchor with { Seeds = ["a b:1"] } },
        { "efedllm.device.threads", Anchor with { Threads = -1 } },
        { "efedllm.device.memory", Anchor with { MemoryBytes = -1 } },
    };

    [Theory]
    [MemberData(nameof(ImpossibleSettings))]
    public void An_impossible_setting_of_the_command_line_is_named(string named, NodeSettings settings)
        => Assert.Contains(named, Assert.Throws<ConfigurationException>(() => Build(settings)).Message, StringComparison.Ordinal);

    [Fact]
    public void Certificates_that_cannot_be_used_stop_the_start()
    {
        var settings = Anchor with { Host = "10.0.0.1", CertificateFolder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()) };
        Assert.True(Build(settings).GetBoolean("akka.remote.dot-netty.tcp.enable-ssl", false));
        Assert.Contains("ca.crt", Assert.Throws<ConfigurationException>(() => NodeConfiguration.Setup(settings)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.1.2.3", true)]
    [InlineData("::1", true)]
    [InlineData("localhost", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("::", false)]
    [InlineData("", false)]
    [InlineData("localhost.example.org", false)]
    [InlineData("128.0.0.1", false)]
    public void Loopback_is_told_from_the_rest_of_the_world(string host, bool loopback)
    {
        Assert.Equal(loopback, BindRules.IsLoopback(host));
        BindRules.Check(host, tls: true);
        if (loopback)
        {
            BindRules.Check(host, tls: false);
        }
    }

    [Fact]
    public void A_seed_with_TLS_has_the_address_of_the_transport_with_TLS()
        => Assert.Equal(new Address("akka.ssl.tcp", "efedllm", "node-1", 4053), NodeConfiguration.SeedAddress("node-1:4053", tls: true));

    private static Config Build(NodeSettings settings) => NodeConfiguration.Build(settings, new Hashtable());
}
