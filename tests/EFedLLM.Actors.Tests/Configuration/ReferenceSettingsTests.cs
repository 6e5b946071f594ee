using System.Reflection;
using Akka.Configuration;
using Akka.Persistence.Sql;
using EFedLLM.Actors.Configuration;

namespace EFedLLM.Actors.Tests.Configuration;

public sealed class ReferenceSettingsTests
{
    /// <summary>What we add to Akka's settings rather than set: everything else must exist there, or it would silently do nothing.</summary>
    private static readonly string[] Added =
        ["akka.actor.serializers.efedllm", "akka.actor.serialization-bindings.", "akka.cluster.heartbeat-dispatcher."];

    public static TheoryData<string> Files() => new(FileNames());

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_setting_under_akka_is_one_that_Akka_knows(string file)
    {
        var akka = AkkaReference();
        foreach (var path in Leaves(file).Where(path => path.StartsWith("akka.", StringComparison.Ordinal)))
        {
            Assert.True(akka.HasPath(path) || Added.Any(added => path.StartsWith(added, StringComparison.Ordinal)), $"{path} is no setting of Akka");
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_block_of_settings_says_what_it_does(string file)
    {
        var lines = Text(file).Split('\n').Select(line => line.Trim()).ToArray();
        for (var i = 0; i < lines.Length; i++)
        {
            // A setting is explained above it, or above the unbroken run of settings it belongs to.
            if (lines[i].Contains(" = ", StringComparison.Ordinal) && !lines[i].StartsWith('#'))
            {
                var above = i;
                while (above > 0 && lines[above - 1].Length > 0 && !lines[above - 1].StartsWith('#'))
                {
                    above--;
                }

                Assert.True(above > 0 && (lines[above - 1].StartsWith('#') || OneOfTheFirst(lines, above)), $"{file}, line {i + 1}: '{lines[i]}' has no comment above it");
            }
        }
    }

    [Fact]
    public void The_wide_profile_only_changes_what_the_narrow_one_or_Akka_sets()
    {
        var known = FileNames().Where(file => file != "hocon/cluster-wan.conf").SelectMany(Leaves).ToHashSet();
        Assert.All(Leaves("hocon/cluster-wan.conf"), path => Assert.Contains(path, known));
    }

    private static bool OneOfTheFirst(string[] lines, int at) => lines.Take(at).All(line => line.Length == 0 || line.StartsWith('#'));

    private static IEnumerable<string> FileNames() => typeof(NodeConfiguration).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith("hocon/", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal);

    private static Config AkkaReference()
    {
        var reference = ConfigurationFactory.Default().WithFallback(SqlPersistence.DefaultConfiguration);
        foreach (var (assembly, names) in new[]
        {
            (typeof(Akka.Remote.RemoteSettings).Assembly, new[] { "Akka.Remote.Configuration.Remote.conf" }),
            (typeof(Akka.Cluster.Cluster).Assembly, ["Akka.Cluster.Configuration.Cluster.conf"]),
            (typeof(Akka.Cluster.Sharding.ClusterSharding).Assembly, ["Akka.Cluster.Sharding.reference.conf"]),
            (typeof(Akka.Cluster.Tools.Singleton.ClusterSingletonManager).Assembly, ["Akka.Cluster.Tools.Singleton.reference.conf"]),
            (typeof(Akka.DistributedData.DistributedData).Assembly, ["Akka.DistributedData.reference.conf"]),
            (typeof(Akka.Persistence.Persistence).Assembly, ["Akka.Persistence.persistence.conf"]),
        })
        {
            foreach (var name in names)
            {
                reference = reference.WithFallback(ConfigurationFactory.FromResource(name, assembly));
            }
        }

        // Every journal has the settings of the fallback, whatever its own section says.
        return ConfigurationFactory.ParseString(
            $"akka.persistence.journal.sql {{ {reference.GetConfig("akka.persistence.journal-plugin-fallback")} }}").WithFallback(reference);
    }

    private static IEnumerable<string> Leaves(string file) => Leaves(ConfigurationFactory.ParseString(Text(file)).Root, "");

    private static IEnumerable<string> Leaves(Akka.Configuration.Hocon.HoconValue value, string path)
        => value.IsObject()
            ? value.GetObject().Items.SelectMany(item => Leaves(item.Value, path.Length == 0 ? item.Key : $"{path}.{item.Key}"))
            : [path];

    private static string Text(string file)
    {
        using var reader = new StreamReader(Assembly.GetAssembly(typeof(NodeConfiguration))!.GetManifestResourceStream(file)!);
        return reader.ReadToEnd();
    }
}
