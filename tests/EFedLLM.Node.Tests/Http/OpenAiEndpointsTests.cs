using System.Text;
using System.Text.Json;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Http;

namespace EFedLLM.Node.Tests.Http;

public class OpenAiEndpointsTests
{
    private const string Chat = "/v1/chat/completions";
    private const string Plain = "/v1/completions";

    [Fact]
    public async Task A_chat_is_answered_in_openais_shape()
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend);
        var (status, body) = await server.PostAsync(Chat, """{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"max_tokens":5,"seed":7,"temperature":0}""");
        Assert.Equal(200, status);
        Assert.Equal("chat.completion", body.GetProperty("object").GetString());
        Assert.Equal("The answer.", body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("stop", body.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(7, body.GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Equal(2, body.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
        var prompt = Assert.Single(backend.Prompts);
        Assert.Equal("", prompt.Tenant);
        Assert.Equal("Hi", Assert.Single(prompt.Input.Messages!.Value).Content);
        Assert.Equal((5, 7ul, 0f), (prompt.Settings.MaxTokens, prompt.Settings.Sampling.Seed, prompt.Settings.Sampling.Temperature));
    }

    [Fact]
    public async Task A_streamed_chat_ends_with_its_reason_the_usage_asked_for_and_done()
    {
        await using var server = await TestServer.StartAsync();
        var lines = await StreamAsync(server, Chat, """{"messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}""");
        Assert.Equal("[DONE]", lines[^1]);
        var chunks = lines[..^1].Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal("assistant", chunks[0].GetProperty("choices")[0].GetProperty("delta").GetProperty("role").GetString());
        Assert.Equal("The answer.", string.Concat(chunks.Where(chunk => chunk.GetProperty("choices").GetArrayLength() > 0)
            .Select(chunk => chunk.GetProperty("choices")[0].GetProperty("delta")).Where(delta => delta.TryGetProperty("content", out _)).Select(delta => delta.GetProperty("content").GetString())));
        Assert.Equal("stop", chunks[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(4, chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task Logprobs_come_in_the_shape_of_each_endpoint()
    {
        await using var server = await TestServer.StartAsync();
        var (_, chat) = await server.PostAsync(Chat, """{"messages":[{"role":"user","content":"Hi"}],"logprobs":true,"top_logprobs":2}""");
        var first = chat.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content")[0];
        Assert.Equal("The", first.GetProperty("token").GetString());
        Assert.Equal(2, first.GetProperty("top_logprobs").GetArrayLength());
        var (_, plain) = await server.PostAsync(Plain, """{"prompt":"Hi","logprobs":1}""");
        var logprobs = plain.GetProperty("choices")[0].GetProperty("logprobs");
        Assert.Equal(4, logprobs.GetProperty("tokens").GetArrayLength());
        Assert.Equal([0, 3, 10, 11], logprobs.GetProperty("text_offset").EnumerateArray().Select(offset => offset.GetInt32()));
    }

    [Fact]
    public async Task An_echoed_prompt_comes_before_the_answer_with_its_own_probabilities()
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend);
        var (_, whole) = await server.PostAsync(Plain, """{"prompt":"Hi","echo":true,"logprobs":2,"max_tokens":2}""");
        var choice = whole.GetProperty("choices")[0];
        Assert.Equal("HiThe answer", choice.GetProperty("text").GetString());
        CheckEcho(choice.GetProperty("logprobs"), 5);

        var (_, scored) = await server.PostAsync(Plain, """{"prompt":"Hi","echo":true,"logprobs":2,"max_tokens":0}""");
        Assert.Equal("Hi", scored.GetProperty("choices")[0].GetProperty("text").GetString());
        CheckEcho(scored.GetProperty("choices")[0].GetProperty("logprobs"), 3);

        var lines = await StreamAsync(server, Plain, """{"prompt":"Hi","echo":true,"logprobs":2,"max_tokens":2,"stream":true}""");
        var chunks = lines[..^1].Select(line => JsonDocument.Parse(line).RootElement.GetProperty("choices")[0]).ToList();
        Assert.Equal("HiThe answer", string.Concat(chunks.Select(chunk => chunk.GetProperty("text").GetString())));
        CheckEcho(chunks[0].GetProperty("logprobs"), 3);

        var (_, plain) = await server.PostAsync(Plain, """{"prompt":[1,2,3],"echo":true,"max_tokens":1}""");
        Assert.Equal("<1><2><3>The", plain.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal(JsonValueKind.Null, plain.GetProperty("choices")[0].GetProperty("logprobs").ValueKind);
        Assert.Equal([true, true, true, false], backend.Prompts.Select(prompt => prompt.ScorePrompt));

        static void CheckEcho(JsonElement logprobs, int tokens)
        {
            Assert.Equal(tokens, logprobs.GetProperty("tokens").GetArrayLength());
            Assert.Equal(tokens, logprobs.GetProperty("text_offset").GetArrayLength());
            Assert.Equal(JsonValueKind.Null, logprobs.GetProperty("token_logprobs")[0].ValueKind);
            Assert.Equal(-2, logprobs.GetProperty("token_logprobs")[1].GetDouble());
            Assert.Equal(JsonValueKind.Null, logprobs.GetProperty("top_logprobs")[0].ValueKind);
            Assert.Equal(2, logprobs.GetProperty("top_logprobs")[2].EnumerateObject().Count());
        }
    }

    [Fact]
    public async Task Models_are_listed_and_found_by_name()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Contains("\"id\":\"tiny\"", await server.Client.GetStringAsync(new Uri("/v1/models", UriKind.Relative)), StringComparison.Ordinal);
        Assert.Contains("\"object\":\"model\"", await server.Client.GetStringAsync(new Uri("/v1/models/tiny", UriKind.Relative)), StringComparison.Ordinal);
        using var missing = await server.Client.GetAsync(new Uri("/v1/models/huge", UriKind.Relative));
        Assert.Equal(404, (int)missing.StatusCode);
    }

    [Theory]
    [InlineData("not json", 400, null)]
    [InlineData("[1]", 400, null)]
    [InlineData("{}", 400, "messages")]
    [InlineData("""{"messages":[]}""", 400, "messages")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"max_tokens":0}""", 400, "max_tokens")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"max_tokens":101}""", 400, "max_tokens")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"temperature":3}""", 400, "temperature")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"n":2}""", 400, "n")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"tools":[{}]}""", 400, "tools")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"frequency_penalty":0.5}""", 400, "frequency_penalty")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"an_option_of_tomorrow":1}""", 400, "an_option_of_tomorrow")]
    [InlineData("""{"messages":[{"role":"tool","content":"x"}]}""", 400, "messages[0].role")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"top_logprobs":3}""", 400, "top_logprobs")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"stop":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]}""", 400, "stop")]
    public async Task What_cannot_be_honoured_is_refused_and_named(string body, int expected, string? param)
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend, new HttpApiSettings(MaxTokens: 100));
        var (status, answer) = await server.PostAsync(Chat, body);
        Assert.Equal(expected, status);
        var error = answer.GetProperty("error");
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        Assert.Empty(backend.Prompts);
    }

    [Fact]
    public async Task A_body_beyond_the_bound_is_refused_before_it_is_read_whole()
    {
        await using var server = await TestServer.StartAsync(settings: new HttpApiSettings(BodyBytes: 2048));
        var (status, answer) = await server.PostAsync(Chat, $$"""{"messages":[{"role":"user","content":"{{new string('x', 4096)}}"}]}""");
        Assert.Equal(413, status);
        Assert.Equal("body_too_large", answer.GetProperty("error").GetProperty("code").GetString());
    }

    [Theory]
    [InlineData(GenerationError.Overloaded, 429, "rate_limit_error")]
    [InlineData(GenerationError.TooLong, 400, "invalid_request_error")]
    [InlineData(GenerationError.UnknownModel, 404, "invalid_request_error")]
    [InlineData(GenerationError.NoRoute, 503, "server_error")]
    [InlineData(GenerationError.HopLost, 503, "server_error")]
    [InlineData(GenerationError.Internal, 500, "server_error")]
    public async Task A_failure_of_the_cluster_has_its_status_and_says_why(GenerationError error, int expected, string type)
    {
        await using var server = await TestServer.StartAsync(new ScriptedBackend { Failure = (error, "because") });
        foreach (var (path, body) in new[] { (Chat, """{"messages":[{"role":"user","content":"x"}]}"""), (Chat, """{"messages":[{"role":"user","content":"x"}],"stream":true}"""), (Plain, """{"prompt":"x"}""") })
        {
            var (status, answer) = await server.PostAsync(path, body);
            Assert.Equal(expected, status);
            Assert.Equal(type, answer.GetProperty("error").GetProperty("type").GetString());
            Assert.Equal("because", answer.GetProperty("error").GetProperty("message").GetString());
        }
    }

    [Fact]
    public async Task A_failure_in_the_middle_of_a_stream_is_its_last_event()
    {
        await using var server = await TestServer.StartAsync(new ScriptedBackend { Failure = (GenerationError.HopLost, "a hop died"), FailsAfter = 2 });
        var lines = await StreamAsync(server, Chat, """{"messages":[{"role":"user","content":"Hi"}],"stream":true}""");
        Assert.Contains("a hop died", lines[^1], StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", lines);
    }

    [Theory]
    [InlineData("/v1/images/generations")]
    [InlineData("/nothing/here")]
    public async Task An_unknown_address_is_answered_in_openais_shape_too(string path)
    {
        await using var server = await TestServer.StartAsync();
        var (status, answer) = await server.PostAsync(path, "{}");
        Assert.Equal(404, status);
        Assert.Equal("unknown_url", answer.GetProperty("error").GetProperty("code").GetString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_goes_away_cancels_its_generation(bool streams)
    {
        var backend = new ScriptedBackend { StopsBefore = 2 };
        await using var server = await TestServer.StartAsync(backend);
        using var leaving = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, Chat)
        {
            Content = new StringContent($$"""{"messages":[{"role":"user","content":"Hi"}],"stream":{{(streams ? "true" : "false")}}}""", Encoding.UTF8, "application/json"),
        };
        var answer = server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leaving.Token);
        if (streams)
        {
            using var response = await answer;
        }
        else
        {
            await leaving.CancelAfterPromptAsync(backend);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
        }

        await backend.Cancelled.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Health_says_whether_a_prompt_would_be_answered()
    {
        await using var ready = await TestServer.StartAsync();
        Assert.Equal("ok\n", await ready.Client.GetStringAsync(new Uri("/health/ready", UriKind.Relative)));
        await using var waiting = await TestServer.StartAsync(new ScriptedBackend { WhyNotReady = "no device has joined yet" });
        using var answer = await waiting.Client.GetAsync(new Uri("/health/ready", UriKind.Relative));
        Assert.Equal(503, (int)answer.StatusCode);
        Assert.Equal("no device has joined yet\n", await answer.Content.ReadAsStringAsync());
        Assert.Equal("ok\n", await waiting.Client.GetStringAsync(new Uri("/health/live", UriKind.Relative)));
    }

    private static async Task<List<string>> StreamAsync(TestServer server, string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await server.Client.PostAsync(new Uri(path, UriKind.Relative), content);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        var text = await response.Content.ReadAsStringAsync();
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line["data: ".Length..])];
    }
}

internal static class LeavingExtensions
{
    /// <summary>Cancels once the prompt has arrived, so that there is something to cancel.</summary>
    public static async Task CancelAfterPromptAsync(this CancellationTokenSource leaving, ScriptedBackend backend)
    {
        await backend.Arrived.Task.WaitAsync(TimeSpan.FromSeconds(20));
        await leaving.CancelAsync();
    }
}
