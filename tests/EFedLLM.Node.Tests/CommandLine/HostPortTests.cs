using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public class HostPortTests
{
    [Theory]
    [InlineData("127.0.0.1:4053", "127.0.0.1", 4053)]
    [InlineData("gateway.example:1", "gateway.example", 1)]
    [InlineData("[::1]:65535", "::1", 65535)]
    public void An_address_is_read_and_written_alike(string text, string host, int port)
    {
        var address = HostPort.Parse(text, "--seed");
        Assert.Equal(new HostPort(host, port), address);
        Assert.Equal(text, address.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("127.0.0.1")]
    [InlineData(":4053")]
    [InlineData("host:")]
    [InlineData("host:0")]
    [InlineData("host:65536")]
    [InlineData("host:+80")]
    [InlineData("::1:4053")]
    [InlineData("a host:80")]
    [InlineData("http://host:80")]
    public void Anything_else_is_refused_with_the_option_named(string text) =>
        Assert.Contains("--seed", Assert.Throws<UserErrorException>(() => HostPort.Parse(text, "--seed")).Message, StringComparison.Ordinal);
}
