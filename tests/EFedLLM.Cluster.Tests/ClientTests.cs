using System.ClientModel;
using System.Text;
using System.Text.Json;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using OpenAI;
using OpenAI.Chat;

namespace EFedLLM.Cluster.Tests;

public class ClientTests(ClusterFixture fixture) : IClassFixture<ClusterFixture>
{
    private const string Question = "What is the capital of France?";
    private const string Answer = "The capital of France is Paris.";

    private RunningCluster Cluster => fixture.Cluster;

    private OpenAIClient OpenAi => new(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(Cluster.Report.OpenAi) });

    [Fact]
    public async Task The_official_client_gets_a_whole_answer()
    {
        ChatCompletion completion = await OpenAi.GetChatClient("efed-mini").CompleteChatAsync(
            [new SystemChatMessage("You are helpful."), new UserChatMessage(Question)], new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 50, IncludeLogProbabilities = true, TopLogProbabilityCount = 2 });
        Assert.Contains("Paris", completion.Content[0].Text, StringComparison.Ordinal);
        Assert.Equal(ChatFinishReason.Stop, completion.FinishReason);
        Assert.Equal(completion.Usage.OutputTokenCount, completion.ContentTokenLogProbabilities.Count);
        Assert.Equal(completion.Usage.TotalTokenCount, completion.Usage.InputTokenCount + completion.Usage.OutputTokenCount);
    }

    [Fact]
    public async Task The_official_client_gets_a_stream()
    {
        var text = new StringBuilder();
        ChatFinishReason? reason = null;
        ChatTokenUsage? usage = null;
        var pieces = 0;
        await foreach (var update in OpenAi.GetChatClient("efed-mini").CompleteChatStreamingAsync([new UserChatMessage(Question)], new ChatCompletionOptions { Temperature = 0 }))
        {
            pieces += update.ContentUpdate.Count;
            foreach (var part in update.ContentUpdate)
            {
                text.Append(part.Text);
            }

            reason = update.FinishReason ?? reason;
            usage = update.Usage ?? usage;
        }

        Assert.Equal(Answer, text.ToString());
        Assert.Equal(ChatFinishReason.Stop, reason);
        Assert.True(pieces > 3, "The answer came in one piece.");
        Assert.NotNull(usage);
    }

    [Fact]
    public async Task The_official_client_lists_the_models_and_is_told_of_one_that_is_missing()
    {
        var models = await OpenAi.GetOpenAIModelClient().GetModelsAsync();
        Assert.Equal("efed-mini", Assert.Single(models.Value).Id);
        var error = await Assert.ThrowsAsync<ClientResultException>(() => OpenAi.GetChatClient("gpt-9").CompleteChatAsync([new UserChatMessage("Hi")]));
        Assert.Equal(404, error.Status);
    }

    [Fact]
    public async Task A_plain_completion_goes_on_with_the_text_as_it_is()
    {
        using var http = new HttpClient { BaseAddress = Cluster.Gateway };
        using var body = new StringContent(
            $$"""{"model":"efed-mini","prompt":"<|im_start|>user\n{{Question}}<|im_end|>\n<|im_start|>assistant\n","temperature":0,"max_tokens":40}""", Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(new Uri("v1/completions", UriKind.Relative), body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal(Answer, JsonDocument.Parse(text).RootElement.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Contains("=[0, ", string.Join(' ', response.Headers.GetValues("x-efedllm-route")), StringComparison.Ordinal);
        Assert.Contains("prefill=", string.Join(' ', response.Headers.GetValues("x-efedllm-timing")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_cluster_shows_who_holds_what()
    {
        var (code, output, error) = await EfedllmProcess.RunAsync("cluster", "show", "--json", "--gateway", Cluster.Gateway.ToString());
        Assert.True(code == 0, error);
        var facts = JsonSerializer.Deserialize(output, ApiJson.Default.ClusterFacts)!;
        Assert.Equal(4, facts.Members.Count);
        Assert.All(facts.Members, member => Assert.Equal(("up", true), (member.Status, member.Reachable)));
        Assert.Equal(3, facts.Devices.Count);
        var model = Assert.Single(facts.Models);
        Assert.True(model.Ready);
        var shards = facts.Devices.SelectMany(device => device.Shards).OrderBy(shard => shard.First).ToList();
        Assert.Equal(0, shards[0].First);
        Assert.Equal(model.Layers + 2, shards[^1].End);
        Assert.All(shards.Zip(shards.Skip(1), (one, next) => (one.End, next.First)), join => Assert.Equal(join.End, join.First));
        Assert.All(shards, shard => Assert.InRange(shard.Bits!.Value, 8, 17));
        foreach (var verb in new[] { "members", "leader", "status", "shards" })
        {
            Assert.Equal(0, (await EfedllmProcess.RunAsync("cluster", verb, "--gateway", Cluster.Gateway.ToString())).Code);
        }
    }

    [Fact]
    public async Task The_next_plan_is_shown_as_things_are_and_as_they_might_be()
    {
        var gateway = Cluster.Gateway.ToString();
        var (code, output, error) = await EfedllmProcess.RunAsync("cluster", "plan", "--json", "--gateway", gateway);
        Assert.True(code == 0, error);
        var now = Assert.Single(JsonSerializer.Deserialize(output, ApiJson.Default.PlanFacts)!.Models);
        Assert.False(now.Changes);
        Assert.Equal(3, now.Devices.Count);
        Assert.All(now.Devices, device => Assert.Equal(device.Now, device.Next));

        var gone = now.Devices[1].Device;
        (code, output, error) = await EfedllmProcess.RunAsync(
            "cluster", "plan", "--without", gone[..12], "--with", "memory=4GB,speed=20GB/s", "--with", "memory=2GB", "--json", "--gateway", gateway);
        Assert.True(code == 0, error);
        var next = Assert.Single(JsonSerializer.Deserialize(output, ApiJson.Default.PlanFacts)!.Models);
        Assert.True(next.Changes);
        Assert.Equal(2, next.LeastHolders);
        Assert.Equal("would be gone", next.Devices.Single(device => device.Device == gone).Reason);
        Assert.All(["new 1", "new 2"], name => Assert.True(next.Devices.Single(device => device.Name == name) is { Now: null, Next: not null, BytesToLoad: > 0 }));

        // Asking changes nothing.
        Assert.Equal(now.Version, (await Cluster.Client.ReadPlanAsync(new PlanQuestion([], []), CancellationToken.None)).Models[0].Version);
        (code, output, _) = await EfedllmProcess.RunAsync("cluster", "plan", "--without", gone[..12], "--gateway", gateway);
        Assert.Equal(0, code);
        Assert.Contains("would be gone", output, StringComparison.Ordinal);
        (code, _, error) = await EfedllmProcess.RunAsync("cluster", "plan", "--without", "nobody", "--gateway", gateway);
        Assert.NotEqual(0, code);
        Assert.Contains("no device nobody", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_ledger_counts_the_work_of_every_device_of_a_route()
    {
        var before = await Cluster.Client.ReadLedgerAsync(CancellationToken.None);
        var answer = await Cluster.AskAsync();
        long Sessions(LedgerFacts facts) => facts.Devices.Sum(device => device.Sessions);
        var facts = await Cluster.UntilLedgerAsync(facts => Sessions(facts) >= Sessions(before) + answer.Route.Count);
        Assert.Equal(answer.Route.Select(hop => hop.Device).Order(StringComparer.Ordinal), facts.Devices.Select(device => device.Device).Order(StringComparer.Ordinal));
        Assert.All(facts.Devices, device => Assert.True(device.LayerTokens > 0));
        var (code, output, error) = await EfedllmProcess.RunAsync("ledger", "show", answer.Route[0].Device[..8], "--json", "--gateway", Cluster.Gateway.ToString());
        Assert.True(code == 0, error);
        Assert.Equal("served", JsonSerializer.Deserialize(output, ApiJson.Default.LedgerDevice)!.Recent[0].Outcome);
    }

    [Fact]
    public async Task A_text_from_standard_input_token_ids_and_a_chat_lead_to_the_same_answer()
    {
        var asked = await Cluster.AskAsync();
        var (_, output, _) = await EfedllmProcess.RunAsync("prompt", "--tokens", string.Join(',', asked.PromptTokenIds), "--json", "--gateway", Cluster.Gateway.ToString());
        Assert.Equal(asked.TokenIds, JsonSerializer.Deserialize(output, ApiJson.Default.PromptAnswer)!.TokenIds);
        var (code, _, error) = await EfedllmProcess.RunAsync("prompt", "-", "--gateway", Cluster.Gateway.ToString());
        Assert.Equal((2, true), (code, error.Contains("empty", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_prompt_longer_than_the_context_is_refused_by_name()
    {
        var (code, _, error) = await EfedllmProcess.RunAsync("prompt", string.Concat(Enumerable.Repeat("a fox and a boat ", 200)), "--gateway", Cluster.Gateway.ToString());
        Assert.Equal(1, code);
        Assert.Contains("context", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Six_prompts_at_once_are_all_answered_as_one_alone()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Cluster.AskAsync()));
        var alone = await Cluster.AskAsync();
        Assert.Equal(Answer, alone.Text);
        Assert.All(answers, answer => Assert.Equal(alone.Logprobs.Select(token => (token.Id, token.Logprob)), answer.Logprobs.Select(token => (token.Id, token.Logprob))));
    }

    [Fact]
    public async Task A_gateway_that_is_not_there_has_an_exit_code_of_its_own()
    {
        var (code, _, error) = await EfedllmProcess.RunAsync("prompt", "Hi", "--gateway", "http://127.0.0.1:9");
        Assert.Equal(3, code);
        Assert.Contains("efedllm up", error, StringComparison.Ordinal);
    }
}
