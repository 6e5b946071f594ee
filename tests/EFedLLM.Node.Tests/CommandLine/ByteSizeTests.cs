using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public class ByteSizeTests
{
    [Theory]
    [InlineData("4GB", 4_000_000_000)]
    [InlineData("512 mb", 512_000_000)]
    [InlineData("1.5GiB", 1_610_612_736)]
    [InlineData("2g", 2_000_000_000)]
    [InlineData("1048576", 1_048_576)]
    public void Amounts_are_read_as_people_write_them(string text, long bytes) => Assert.Equal(bytes, ByteSize.Parse(text, "--memory"));

    [Theory]
    [InlineData("")]
    [InlineData("GB")]
    [InlineData("-4GB")]
    [InlineData("1e3GB")]
    [InlineData("4 apples")]
    [InlineData("999kB")]
    [InlineData("2000000TB")]
    [InlineData("NaN")]
    public void Anything_else_is_refused_with_the_option_named(string text)
    {
        var error = Assert.Throws<UserErrorException>(() => ByteSize.Parse(text, "--memory"));
        Assert.Contains("--memory", error.Message, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Usage, error.ExitCode);
    }
}
