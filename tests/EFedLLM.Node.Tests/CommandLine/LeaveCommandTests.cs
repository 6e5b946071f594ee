using System.Net;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;
using EFedLLM.Node.Http;

namespace EFedLLM.Node.Tests.CommandLine;

public class LeaveCommandTests
{
    private static readonly DeviceFacts[] Devices = [Device("aa11", "left"), Device("aa22", "right"), Device("bb33", "right")];

    [Theory]
    [InlineData("left", "", "aa11")]
    [InlineData("aa2", "", "aa22")]
    [InlineData("AA2", "", "aa22")]
    [InlineData(null, "bb33", "bb33")]
    public void A_device_is_named_by_its_name_the_beginning_of_its_id_or_by_this_machine(string? named, string local, string expected) =>
        Assert.Equal(expected, LeaveCommand.Choose(Devices, named, Local(local)).Id);

    [Theory]
    [InlineData("right", "", "aa22")]
    [InlineData("aa", "", "left (aa11) or right (aa22)")]
    [InlineData("cc", "", "There are: left (aa11)")]
    [InlineData(null, "", "No device of this machine")]
    [InlineData(null, "aa11 bb33", "left (aa11) or right (bb33)")]
    public void A_device_that_is_not_clear_is_asked_for(string? named, string local, string said) =>
        Assert.Contains(said, Assert.Throws<UserErrorException>(() => LeaveCommand.Choose(Devices, named, Local(local))).Message, StringComparison.Ordinal);

    [Fact]
    public void The_devices_of_this_machine_are_known_by_their_keys()
    {
        var root = Directory.CreateTempSubdirectory("efedllm-test-").FullName;
        try
        {
            Assert.Empty(LocalDevices.Ids(Path.Combine(root, "nothing")));
            using var key = EFedLLM.Actors.Identity.DeviceKey.LoadOrCreate(Path.Combine(root, "device-1", "node", NodeFiles.Key));
            Directory.CreateDirectory(Path.Combine(root, "device-2", "node"));
            File.WriteAllText(Path.Combine(root, "device-2", "node", NodeFiles.Key), "no key");
            Assert.Equal([key.Device.Value], LocalDevices.Ids(root));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("::1", true)]
    [InlineData("::ffff:127.0.0.1", true)]
    [InlineData("10.0.0.7", false)]
    [InlineData(null, false)]
    public void Only_this_machine_may_ask(string? address, bool expected) => Assert.Equal(expected, LeaveEndpoint.IsLocal(address is null ? null : IPAddress.Parse(address)));

    private static DeviceFacts Device(string id, string name) => new(id, name, "akka.tcp://efedllm@127.0.0.1:1", 1, 1, false, []);

    private static HashSet<string> Local(string ids) => [.. ids.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
}
