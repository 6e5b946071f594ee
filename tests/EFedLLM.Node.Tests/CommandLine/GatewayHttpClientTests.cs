using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public class GatewayHttpClientTests
{
    private const string Started = """{"event":"started","session":"s","model":"m","modelId":"i","promptTokenIds":[1,2],"route":[{"device":"d","address":"a","first":0,"end":3,"units":"all"}]}""";
    private const string Token = """{"event":"token","index":0,"id":7,"logprob":-0.25,"top":[{"id":7,"logprob":-0.25}],"text":"Par"}""";
    private const string Finished = """{"event":"finished","finishReason":"stop","text":"is","timing":{"promptTokens":2,"generatedTokens":1,"queueMilliseconds":0,"prefillMilliseconds":4,"decodeMilliseconds":0,"hopComputeMilliseconds":[3]}}""";

    private static readonly Uri Gateway = new("http://gateway.test/");

    [Fact]
    public async Task A_streamed_answer_is_collected_whole()
    {
        var handler = new CannedHandler(HttpStatusCode.OK, $"{Started}\n{Token}\n{Finished}\n");
        await using var client = new GatewayHttpClient(Gateway, handler);
        var pieces = new List<string>();

        var answer = await AnswerCollector.CollectAsync(client, new GenerateRequest { Text = "hi", TopLogprobs = 1, Seed = ulong.MaxValue }, pieces.Add, default);

        Assert.Equal("Paris", answer.Text);
        Assert.Equal(["Par", "is"], pieces);
        Assert.Equal([1, 2], answer.PromptTokenIds);
        Assert.Equal([7], answer.TokenIds);
        Assert.Equal(-0.25f, answer.Logprobs[0].Logprob);
        Assert.Equal([new TopLogprob(7, -0.25f)], answer.Logprobs[0].Top);
        Assert.Equal("stop", answer.FinishReason);
        Assert.Equal("/efedllm/v1/generate", handler.Path);
        Assert.Contains("\"seed\":18446744073709551615", handler.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_json_of_an_answer_has_the_keys_that_scripts_rely_on()
    {
        await using var client = new GatewayHttpClient(Gateway, new CannedHandler(HttpStatusCode.OK, $"{Started}\n{Token}\n{Finished}\n"));
        var answer = await AnswerCollector.CollectAsync(client, new GenerateRequest { Text = "hi" }, onText: null, default);

        using var json = JsonDocument.Parse(JsonSerializer.Serialize(answer, ApiJson.Default.PromptAnswer));

        Assert.Equal(
            ["text", "promptTokenIds", "tokenIds", "finishReason", "logprobs", "route", "timing"],
            json.RootElement.EnumerateObject().Select(property => property.Name));
        Assert.Equal(["id", "logprob"], json.RootElement.GetProperty("logprobs")[0].EnumerateObject().Select(property => property.Name));
    }

    [Fact]
    public async Task A_failure_in_the_stream_becomes_its_message()
    {
        await using var client = new GatewayHttpClient(Gateway, new CannedHandler(HttpStatusCode.OK, $$"""
            {{Started}}
            {"event":"failed","error":"hopLost","message":"device-2 is gone."}
            """));
        var error = await Assert.ThrowsAsync<UserErrorException>(() => AnswerCollector.CollectAsync(client, new GenerateRequest { Text = "hi" }, null, default));
        Assert.Equal("device-2 is gone.", error.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData(Started + "\n" + Token + "\n")]
    public async Task A_stream_that_ends_early_is_no_answer(string body)
    {
        await using var client = new GatewayHttpClient(Gateway, new CannedHandler(HttpStatusCode.OK, body));
        await Assert.ThrowsAsync<UserErrorException>(() => AnswerCollector.CollectAsync(client, new GenerateRequest { Text = "hi" }, null, default));
    }

    [Theory]
    [InlineData("<html>")]
    [InlineData("null")]
    [InlineData("{\"event\":\"invented\"}")]
    [InlineData("{\"event\":\"token\",\"index\":\"x\"}")]
    public async Task What_is_not_understood_is_said_so(string line)
    {
        await using var client = new GatewayHttpClient(Gateway, new CannedHandler(HttpStatusCode.OK, line + "\n"));
        var error = await Assert.ThrowsAsync<UserErrorException>(() => AnswerCollector.CollectAsync(client, new GenerateRequest { Text = "hi" }, null, default));
        Assert.Contains("does not understand", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_error_of_openais_shape_becomes_its_message()
    {
        await using var client = new GatewayHttpClient(Gateway, new CannedHandler(HttpStatusCode.TooManyRequests, """{"error":{"message":"Ask later.","type":"rate_limit_error"}}"""));
        Assert.Equal("Ask later.", (await Assert.ThrowsAsync<UserErrorException>(() => client.ReadClusterAsync(default))).Message);
    }

    [Fact]
    public async Task Another_kind_of_server_is_recognised_as_such()
    {
        await using var client = new GatewayHttpClient(Gateway, new CannedHandler(HttpStatusCode.NotFound, "<html>nothing here</html>"));
        Assert.Contains("no EFedLLM gateway", (await Assert.ThrowsAsync<UserErrorException>(() => client.ReadLedgerAsync(default))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_nobody_listens_the_exit_code_says_so()
    {
        int port;
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            port = ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        await using var client = new GatewayHttpClient(new Uri($"http://127.0.0.1:{port}/"));
        var error = await Assert.ThrowsAsync<UserErrorException>(() => client.ReadClusterAsync(default));
        Assert.Equal(ExitCodes.NotReachable, error.ExitCode);
        Assert.Contains("efedllm up", error.Message, StringComparison.Ordinal);
    }
}
