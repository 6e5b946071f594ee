using System.Text;
using CsCheck;
using EFedLLM.Node.Client;

namespace EFedLLM.Node.Tests.CommandLine;

public class BoundedLinesTests
{
    [Fact]
    public async Task Lines_come_out_as_they_went_in() =>
        await Gen.String[Gen.Char["ab é\u4e16"], 0, 9000].Array[0, 6].SampleAsync(async lines =>
        {
            using var reader = new BoundedLines(new MemoryStream(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n")))), 9000);
            foreach (var line in lines)
            {
                Assert.Equal(line, await reader.ReadAsync(default));
            }

            Assert.Null(await reader.ReadAsync(default));
        }, iter: 200);

    [Fact]
    public async Task A_last_line_without_an_end_is_a_line_too()
    {
        using var reader = new BoundedLines(new MemoryStream("one\r\ntwo"u8.ToArray()), 10);
        Assert.Equal("one", await reader.ReadAsync(default));
        Assert.Equal("two", await reader.ReadAsync(default));
        Assert.Null(await reader.ReadAsync(default));
    }

    [Fact]
    public async Task A_line_beyond_the_bound_is_refused()
    {
        using var reader = new BoundedLines(new MemoryStream(Encoding.UTF8.GetBytes(new string('x', 100_000))), 50_000);
        await Assert.ThrowsAsync<InvalidDataException>(async () => await reader.ReadAsync(default));
    }
}
