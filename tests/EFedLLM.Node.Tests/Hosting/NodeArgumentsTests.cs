using System.Text.Json;
using EFedLLM.Actors.Configuration;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Supervision;

namespace EFedLLM.Node.Tests.Hosting;

public class NodeArgumentsTests
{
    private static readonly NodeOptions Full = new()
    {
        Name = "a name",
        Roles = [NodeRoles.Device, NodeRoles.Gateway],
        DataFolder = Path.GetFullPath("/tmp/a folder"),
        Host = "::1",
        PublicHost = "node.example",
        Port = 4053,
        Seeds = ["127.0.0.1:1", "[::1]:2"],
        ModelFolders = ["/models/one", "/models/two words"],
        ChatTemplate = "chatml",
        MemoryBytes = 123_456_789,
        Threads = 3,
        RepairTimeout = TimeSpan.FromSeconds(90),
        ExpectedDevices = 5,
        HttpHost = "localhost",
        HttpPort = 0,
        CertificateFolder = Path.GetFullPath("/certificates"),
        AuthorityFolder = Path.GetFullPath("/authority"),
        EnrolPort = 7081,
        Profile = NetworkProfile.Wan,
        ConfigurationFile = Path.GetFullPath("/settings.conf"),
        Saboteur = "noise:0.25",
        Supervised = true,
        Verbose = true,
    };

    [Fact]
    public void A_child_reads_from_its_command_line_what_its_parent_wrote() => Assert.Equal(Text(Full), Text(RoundTrip(Full)));

    [Fact]
    public void What_was_not_said_stays_unsaid()
    {
        var bare = new NodeOptions { Name = "a", Roles = [NodeRoles.Anchor], DataFolder = Path.GetFullPath("/tmp/a") };
        Assert.Equal(Text(bare), Text(RoundTrip(bare)));
    }

    private static NodeOptions RoundTrip(NodeOptions options)
    {
        var command = new NodeCommand();
        var parse = new System.CommandLine.RootCommand { command }.Parse(NodeArguments.Of(options));
        Assert.Empty(parse.Errors);
        return command.Read(parse);
    }

    private static string Text(NodeOptions options) => JsonSerializer.Serialize(options);
}
