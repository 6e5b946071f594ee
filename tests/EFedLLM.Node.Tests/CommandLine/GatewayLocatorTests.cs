using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public class GatewayLocatorTests
{
    [Fact]
    public void What_is_named_wins_over_the_variable_the_variable_over_the_last_cluster()
    {
        Assert.Equal("http://a:1/", GatewayLocator.Choose("http://a:1", "http://b:2", "http://c:3").ToString());
        Assert.Equal("http://b:2/", GatewayLocator.Choose(null, "http://b:2", "http://c:3").ToString());
        Assert.Equal("http://c:3/", GatewayLocator.Choose(null, "", "http://c:3/").ToString());
        Assert.Equal("http://127.0.0.1:7080/", GatewayLocator.Choose(null, null, null).ToString());
        Assert.Equal("http://127.0.0.1:7080/", GatewayLocator.Choose(null, null, "garbage of an old version").ToString());
    }

    [Theory]
    [InlineData("127.0.0.1:7080", "http://127.0.0.1:7080/")]
    [InlineData("http://127.0.0.1:7080/v1", "http://127.0.0.1:7080/")]
    [InlineData("http://127.0.0.1:7080/v1/", "http://127.0.0.1:7080/")]
    [InlineData("https://host/base", "https://host/base/")]
    public void The_scheme_may_be_left_out_and_the_openai_address_pasted(string named, string expected) =>
        Assert.Equal(expected, GatewayLocator.Choose(named, null, null).ToString());

    [Theory]
    [InlineData("ftp://host")]
    [InlineData("http://")]
    [InlineData("two words")]
    public void What_is_no_http_address_is_refused(string named)
    {
        Assert.Contains("--gateway", Assert.Throws<UserErrorException>(() => GatewayLocator.Choose(named, null, null)).Message, StringComparison.Ordinal);
        Assert.Contains(GatewayLocator.Variable, Assert.Throws<UserErrorException>(() => GatewayLocator.Choose(null, named, null)).Message, StringComparison.Ordinal);
    }
}
