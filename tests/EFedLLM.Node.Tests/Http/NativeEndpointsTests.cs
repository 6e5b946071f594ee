using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Http;

namespace EFedLLM.Node.Tests.Http;

public class NativeEndpointsTests
{
    private static readonly GenerateRequest Hello = new() { Messages = [new ChatLine("user", "Hello")] };

    [Fact]
    public async Task The_programs_own_client_gets_ids_probabilities_route_and_timing()
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend);
        await using var client = new GatewayHttpClient(server.Address);
        var pieces = new List<string>();
        var answer = await AnswerCollector.CollectAsync(client, Hello with { TopLogprobs = 2, MaxTokens = 9, IgnoreEos = true }, pieces.Add, CancellationToken.None);
        Assert.Equal("The answer.", answer.Text);
        Assert.Equal(["The", " answer", "."], pieces);
        Assert.Equal([1, 2, 3], answer.PromptTokenIds);
        Assert.Equal([10, 11, 12, 13], answer.TokenIds);
        Assert.Equal("stop", answer.FinishReason);
        Assert.All(answer.Logprobs, logprob => Assert.Equal(2, logprob.Top!.Count));
        Assert.Equal("embedding + layers 0-1 + head", Assert.Single(answer.Route).Units);
        Assert.Equal(4.5, Assert.Single(answer.Timing.HopComputeMilliseconds));
        var prompt = Assert.Single(backend.Prompts);
        Assert.Equal((9, true), (prompt.Settings.MaxTokens, prompt.Settings.IgnoreEndTokens));
    }

    [Fact]
    public async Task What_the_gateway_had_others_compute_is_there_to_read()
    {
        await using var server = await TestServer.StartAsync();
        await using var client = new GatewayHttpClient(server.Address);
        var work = await client.ReadWorkAsync(CancellationToken.None);
        Assert.Equal(new WorkFacts(0, 0, 0, 0, 0, work.AllocatedBytes), work);
        Assert.InRange(work.AllocatedBytes, 1, long.MaxValue);
    }

    [Fact]
    public async Task A_failure_before_and_one_during_the_answer_reach_the_person_as_they_are()
    {
        await using var before = await TestServer.StartAsync(new ScriptedBackend { Failure = (GenerationError.NoRoute, "nobody holds layer 3") });
        await using var during = await TestServer.StartAsync(new ScriptedBackend { Failure = (GenerationError.HopLost, "a hop died"), FailsAfter = 1 });
        await using var first = new GatewayHttpClient(before.Address);
        await using var second = new GatewayHttpClient(during.Address);
        Assert.Equal("nobody holds layer 3", (await Assert.ThrowsAsync<UserErrorException>(() => AnswerCollector.CollectAsync(first, Hello, null, default))).Message);
        Assert.Equal("a hop died", (await Assert.ThrowsAsync<UserErrorException>(() => AnswerCollector.CollectAsync(second, Hello, null, default))).Message);
    }

    [Fact]
    public async Task What_a_request_leaves_out_is_as_the_server_would_have_it()
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend);
        using var content = new StringContent("""{"text":"a"}""", System.Text.Encoding.UTF8, "application/json");
        using var response = await server.Client.PostAsync(new Uri("/efedllm/v1/generate", UriKind.Relative), content);
        Assert.Equal(System.Net.HttpStatusCode.OK, response.StatusCode);
        var sampling = Assert.Single(backend.Prompts).Settings.Sampling;
        Assert.Equal((0f, 1f, 0), (sampling.Temperature, sampling.TopP, sampling.TopK));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"text":"a","tokens":[1]}""")]
    [InlineData("""{"tokens":[]}""")]
    [InlineData("""{"tokens":[-1]}""")]
    [InlineData("""{"messages":[null]}""")]
    [InlineData("""{"messages":[{"role":"robot","content":"x"}]}""")]
    [InlineData("""{"text":"a","temperature":-1}""")]
    [InlineData("""{"text":"a","temperature":"NaN"}""")]
    [InlineData("""{"text":"a","topP":0}""")]
    [InlineData("""{"text":"a","maxTokens":0}""")]
    [InlineData("""{"text":"a","maxTokens":999999999}""")]
    [InlineData("""{"text":"a","topLogprobs":21}""")]
    [InlineData("""{"text":"a","drafts":1.5}""")]
    [InlineData("""{"text":"a","drafts":16}""")]
    [InlineData("""{"text":"a","drafts":-1}""")]
    [InlineData("""{"text":"a","stop":[null]}""")]
    [InlineData("""{"text":"a","unknown":1}""")]
    [InlineData("""{"text":{"deep":1}}""")]
    public async Task A_request_without_sense_is_refused(string body)
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend);
        var (status, answer) = await server.PostAsync("/efedllm/v1/generate", body);
        Assert.Equal(400, status);
        Assert.NotEmpty(answer.GetProperty("error").GetProperty("message").GetString()!);
        Assert.Empty(backend.Prompts);
    }

    [Theory]
    [InlineData(-1, false)]
    [InlineData(0, true)]
    [InlineData(ProtocolLimits.Drafts, true)]
    [InlineData(ProtocolLimits.Drafts + 1, false)]
    public void As_many_guesses_may_be_asked_for_as_fit_a_step(int drafts, bool isTaken)
    {
        var request = Hello with { Drafts = drafts };
        if (isTaken)
        {
            Assert.Equal(drafts, NativeRequest.ToPrompt(request, new HttpApiSettings()).Drafts);
        }
        else
        {
            var error = Assert.Throws<ApiException>(() => NativeRequest.ToPrompt(request, new HttpApiSettings()));
            Assert.Contains($"from 0 to {ProtocolLimits.Drafts}", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_client_that_leaves_the_enumeration_cancels_the_generation()
    {
        var backend = new ScriptedBackend { StopsBefore = 2 };
        await using var server = await TestServer.StartAsync(backend);
        await using var client = new GatewayHttpClient(server.Address);
        await foreach (var next in client.GenerateAsync(Hello, CancellationToken.None))
        {
            if (next is TokenEvent { Index: 1 })
            {
                break;
            }
        }

        await backend.Cancelled.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_ledger_that_does_not_answer_and_a_device_it_does_not_know_are_told_apart()
    {
        await using var server = await TestServer.StartAsync();
        await using var client = new GatewayHttpClient(server.Address);
        Assert.Contains("ledger does not answer", (await Assert.ThrowsAsync<UserErrorException>(() => client.ReadLedgerAsync(default))).Message, StringComparison.Ordinal);
        Assert.Contains("knows no device", (await Assert.ThrowsAsync<UserErrorException>(() => client.ReadLedgerAsync("abc", default))).Message, StringComparison.Ordinal);
        Assert.Contains("hexadecimal", (await Assert.ThrowsAsync<UserErrorException>(() => client.ReadLedgerAsync("xyz", default))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("?without=")]
    [InlineData("?with=")]
    [InlineData("?with=-1")]
    [InlineData("?with=4GB")]
    [InlineData("?with=1000,NaN")]
    [InlineData("?with=1000,1,1")]
    [InlineData("?with=9999999999999999999999")]
    [InlineData("?when=now")]
    public async Task A_plan_is_refused_for_a_question_without_sense(string query)
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.Client.GetAsync(new Uri($"/efedllm/v1/plan{query}", UriKind.Relative));
        Assert.Equal(400, (int)response.StatusCode);
    }

    [Fact]
    public async Task A_plan_is_refused_for_too_many_devices()
    {
        await using var server = await TestServer.StartAsync();
        var query = string.Join('&', Enumerable.Repeat("with=1000", PlanQuestion.Most + 1));
        using var response = await server.Client.GetAsync(new Uri($"/efedllm/v1/plan?{query}", UriKind.Relative));
        Assert.Equal(400, (int)response.StatusCode);
    }

    [Fact]
    public async Task A_question_for_a_plan_arrives_as_it_was_asked()
    {
        var cluster = new AskedCluster();
        await using var server = await TestServer.StartAsync(cluster: cluster);
        await using var client = new GatewayHttpClient(server.Address);
        await client.ReadPlanAsync(new PlanQuestion(["3f9c", "a & b"], [new AddedDevice(4_000_000_000, 2.5e10), new AddedDevice(1, 0)]), default);
        Assert.Equal(["3f9c", "a & b"], cluster.Question!.Without);
        Assert.Equal([new AddedDevice(4_000_000_000, 2.5e10), new AddedDevice(1, 0)], cluster.Question.With);
    }

    [Fact]
    public async Task Http_on_the_network_is_refused_without_a_certificate()
    {
        var error = await Assert.ThrowsAsync<UserErrorException>(() => HttpHost.StartAsync(
            new HttpHostSettings("0.0.0.0", 0), new ScriptedBackend(), null!, new HttpApiSettings(), Microsoft.Extensions.Logging.Abstractions.NullLoggerProvider.Instance, TimeProvider.System));
        Assert.Contains("--cert", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_is_named_with_what_to_do()
    {
        await using var first = await TestServer.StartAsync();
        var error = await Assert.ThrowsAsync<UserErrorException>(() => HttpHost.StartAsync(
            new HttpHostSettings("127.0.0.1", first.Address.Port), new ScriptedBackend(), null!, new HttpApiSettings(), Microsoft.Extensions.Logging.Abstractions.NullLoggerProvider.Instance, TimeProvider.System));
        Assert.Contains("--http-port", error.Message, StringComparison.Ordinal);
    }

    private sealed class AskedCluster : IClusterApi
    {
        public PlanQuestion? Question { get; private set; }

        public Task<ClusterFacts> ReadClusterAsync(CancellationToken cancellation) => throw new NotSupportedException();

        public Task<PlanFacts> ReadPlanAsync(PlanQuestion question, CancellationToken cancellation)
        {
            Question = question;
            return Task.FromResult(new PlanFacts([]));
        }

        public Task<LedgerFacts> ReadLedgerAsync(CancellationToken cancellation) => throw new NotSupportedException();

        public Task<LedgerDevice?> ReadLedgerAsync(string device, CancellationToken cancellation) => throw new NotSupportedException();

        public Task<LeaveFacts?> LeaveAsync(string device, CancellationToken cancellation) => throw new NotSupportedException();
    }
}
