using System.Net;
using System.Text;
using System.Text.Json;
using EFedLLM.Node.Api;

namespace EFedLLM.Cluster.Tests;

/// <summary>A cluster that bears one session at a time, so that one that is not given back shows at once.</summary>
public sealed class TightFixture : IAsyncLifetime
{
    internal RunningCluster Cluster { get; private set; } = null!;

    public async Task InitializeAsync() => Cluster = await RunningCluster.StartAsync(2, environment: new Dictionary<string, string>
    {
        ["EFEDLLM__DEVICE__MAX_SESSIONS"] = "1",
        ["EFEDLLM__GATEWAY__MAX_SESSIONS"] = "1",
        ["EFEDLLM__GATEWAY__MAX_QUEUED"] = "1",
        ["EFEDLLM__GATEWAY__HTTP_BODY"] = "16 KiB",
        ["EFEDLLM__GATEWAY__MAX_TOKENS"] = "480",
        ["EFEDLLM__GATEWAY__DEFAULT_MAX_TOKENS"] = "64",
    });

    public async Task DisposeAsync() => await Cluster.DisposeAsync();
}

public class LimitsTests(TightFixture fixture) : IClassFixture<TightFixture>
{
    private const string Chat = "v1/chat/completions";

    private RunningCluster Cluster => fixture.Cluster;

    private static string Long(bool stream) =>
        $$"""{"messages":[{"role":"user","content":"Tell me a story."}],"max_tokens":480,"ignore_eos":true,"temperature":0,"stream":{{(stream ? "true" : "false")}}}""";

    [Fact]
    public async Task A_client_that_goes_away_frees_its_place_on_every_hop()
    {
        for (var round = 0; round < 3; round++)
        {
            await foreach (var next in Cluster.Client.GenerateAsync(new GenerateRequest { Messages = [new ChatLine("user", "Hi")], MaxTokens = 480, IgnoreEos = true }, CancellationToken.None))
            {
                if (next is TokenEvent)
                {
                    break;
                }
            }

            // There is one place on each device: without it this would be refused or wait for the idle time of minutes.
            Assert.Equal("The capital of France is Paris.", (await Cluster.AskAsync()).Text);
        }
    }

    [Fact]
    public async Task More_prompts_than_places_and_seats_are_refused_with_429_and_the_others_answered()
    {
        using var http = new HttpClient { BaseAddress = Cluster.Gateway };
        var statuses = await Task.WhenAll(Enumerable.Range(0, 12).Select(async _ =>
        {
            using var body = new StringContent(Long(stream: false), Encoding.UTF8, "application/json");
            using var response = await http.PostAsync(new Uri(Chat, UriKind.Relative), body);
            if (response.StatusCode == HttpStatusCode.TooManyRequests)
            {
                Assert.NotNull(response.Headers.RetryAfter);
            }

            return (int)response.StatusCode;
        }));
        Assert.All(statuses, status => Assert.True(status is 200 or 429, $"{status}"));
        Assert.Contains(429, statuses);
        Assert.Contains(200, statuses);
    }

    [Theory]
    [InlineData("{", 400)]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"max_tokens":481}""", 400)]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"logit_bias":{"5":1}}""", 400)]
    public async Task Bad_requests_are_refused_by_the_nodes_own_settings(string json, int expected) => Assert.Equal(expected, await StatusAsync(json));

    [Fact]
    public async Task A_body_beyond_the_setting_is_refused() =>
        Assert.Equal(413, await StatusAsync($$"""{"messages":[{"role":"user","content":"{{new string('x', 20_000)}}"}]}"""));

    private async Task<int> StatusAsync(string json)
    {
        using var http = new HttpClient { BaseAddress = Cluster.Gateway };
        using var body = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(new Uri(Chat, UriKind.Relative), body);
        using var error = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.NotEmpty(error.RootElement.GetProperty("error").GetProperty("message").GetString()!);
        return (int)response.StatusCode;
    }
}
