using System.Text;
using System.Text.Json;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;

namespace EFedLLM.Node.Tests.Http;

/// <summary>Answers carry the root over what was signed for them, and on demand all of it.</summary>
public class ReceiptsTests
{
    private const string Body = """{"messages":[{"role":"user","content":"Hi"}]}""";

    private static readonly Digest Root = Digest.Of([1, 2, 3]);

    [Theory]
    [InlineData("/v1/chat/completions", Body)]
    [InlineData("/v1/completions", """{"prompt":"Hi"}""")]
    public async Task A_whole_answer_has_the_root_in_a_header_and_beside_its_usage(string path, string body)
    {
        await using var server = await TestServer.StartAsync(new ScriptedBackend { Receipts = Root });
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await server.Client.PostAsync(new Uri(path, UriKind.Relative), content);
        Assert.Equal(Root.ToString(), response.Headers.GetValues("x-efedllm-receipts").Single());
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(Root.ToString(), json.RootElement.GetProperty("efedllm").GetProperty("receipts").GetString());
    }

    [Theory]
    [InlineData("/v1/chat/completions", """{"messages":[{"role":"user","content":"Hi"}],"stream":true}""")]
    [InlineData("/v1/completions", """{"prompt":"Hi","stream":true}""")]
    public async Task A_stream_has_the_root_in_its_last_chunk_alone(string path, string body)
    {
        await using var server = await TestServer.StartAsync(new ScriptedBackend { Receipts = Root });
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await server.Client.PostAsync(new Uri(path, UriKind.Relative), content);
        var chunks = (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", chunks[^1]);
        Assert.Contains($"\"efedllm\":{{\"receipts\":\"{Root}\"}}", chunks[^2], StringComparison.Ordinal);
        Assert.All(chunks[..^2], chunk => Assert.DoesNotContain("efedllm\":", chunk, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_not_signed_has_no_root()
    {
        await using var server = await TestServer.StartAsync(new ScriptedBackend());
        using var content = new StringContent(Body, Encoding.UTF8, "application/json");
        using var response = await server.Client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), content);
        Assert.False(response.Headers.Contains("x-efedllm-receipts"));
        Assert.DoesNotContain("receipts", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_programs_own_client_gets_all_receipts_where_it_asks_for_them_and_no_byte_of_the_answer_can_be_changed()
    {
        await using var server = await TestServer.StartAsync(new ScriptedBackend { Receipts = Root });
        await using var client = new GatewayHttpClient(server.Address);
        var request = new GenerateRequest { Messages = [new ChatLine("user", "Hi")] };
        Assert.Null((await AnswerCollector.CollectAsync(client, request, null, CancellationToken.None)).Signed);
        var answer = await AnswerCollector.CollectAsync(client, request with { Receipts = true, Seed = 7, Stop = ["x"] }, null, CancellationToken.None);
        Assert.Equal((Root.ToString(), 7UL, 2), (answer.Signed!.Root, answer.Signed.Sampling.Seed, Assert.Single(answer.Signed.Hops).Units.Count));
        var json = JsonSerializer.SerializeToUtf8Bytes(answer, ApiJson.Default.PromptAnswer);
        foreach (var end in new[] { "", "\n", "\r\n" })
        {
            var (read, signed) = AnswerFile.Read([.. json, .. Encoding.UTF8.GetBytes(end)]);
            Assert.Equal("The answer.", read.Text);
            Assert.Equal((answer.TokenIds.Count, 2, Root), (signed.Tokens.Length, signed.Hops[0].Units.Length, signed.Root));
        }

        for (var at = 0; at < json.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                var changed = json.ToArray();
                changed[at] ^= (byte)(1 << bit);
                Assert.Throws<InvalidDataException>(() => AnswerFile.Read(changed));
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("{\"text\":\"a\",\"promptTokenIds\":[1],\"tokenIds\":[1],\"finishReason\":\"stop\",\"logprobs\":[null],\"route\":[],\"timing\":{}}")]
    [InlineData("{\"text\":\"a\",\"promptTokenIds\":[1],\"tokenIds\":[1],\"finishReason\":\"stop\",\"logprobs\":[null],\"route\":[],\"timing\":{},\"signed\":{\"session\":\"\",\"model\":\"\",\"sampling\":{},\"root\":\"\",\"hops\":[null]}}")]
    public void What_is_no_signed_answer_is_refused(string json) => Assert.Throws<InvalidDataException>(() => AnswerFile.Read(Encoding.UTF8.GetBytes(json)));
}
