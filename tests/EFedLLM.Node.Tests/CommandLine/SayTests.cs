using EFedLLM.Node.Output;

namespace EFedLLM.Node.Tests.CommandLine;

public class SayTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(2_761_776, "2.8 MB")]
    [InlineData(123_000_000, "123 MB")]
    [InlineData(4e9, "4.0 GB")]
    public void Bytes_are_in_decimal_units(double bytes, string text) => Assert.Equal(text, Say.Bytes(bytes));

    [Theory]
    [InlineData(0.214, "0.21 ms")]
    [InlineData(31.4, "31 ms")]
    [InlineData(1250, "1.25 s")]
    public void Durations_have_two_or_three_digits(double milliseconds, string text) => Assert.Equal(text, Say.Milliseconds(milliseconds));

    [Theory]
    [InlineData(1, "1 token")]
    [InlineData(0, "0 tokens")]
    [InlineData(12345, "12,345 tokens")]
    public void Counts_agree_with_their_noun(long count, string text) => Assert.Equal(text, Say.Count(count, "token"));
}
