using System.Collections.Immutable;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Tests.Gateway;

/// <summary>Turns of a conversation over real nodes: how much of each is known from before, and that the answers are those of a gateway that reuses nothing.</summary>
public sealed class PrefixReuseTests(ReusingCluster cluster) : IClassFixture<ReusingCluster>
{
    private const int Page = KvCache.PagePositions;

    private static readonly GenerationSettings Settings = new() { MaxTokens = 60, IgnoreEndTokens = true, Sampling = new SamplingSettings { Temperature = 0.8f, Seed = 3 } };

    [SharedTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task The_next_turn_of_a_conversation_begins_with_what_the_devices_kept(int devices)
    {
        await cluster.PlaceAsync(devices);
        var (reusing, plain) = (Gateway(PrefixSharing.Key), Gateway(PrefixSharing.Off));
        ImmutableArray<int> text = [.. Enumerable.Range(5, 100)];
        foreach (var known in (int[])[0, 128, 192])
        {
            var (expected, actual) = (await AskAsync(plain, text), await AskAsync(reusing, text));
            Assert.Equal(Tokens(expected), Tokens(actual));
            Assert.Equal((0, known), (Timing(expected).CachedTokens, Timing(actual).CachedTokens));
            text = [.. text, .. Tokens(actual).Select(token => token.Id), 7, 8, 9];
        }

        // Whoever bears another key is not told how much of it is known, nor is it by another gateway.
        Assert.Equal(0, Timing(await AskAsync(reusing, text, tenant: "other")).CachedTokens);
        Assert.Equal(256, Timing(await AskAsync(reusing, text)).CachedTokens);
        Assert.Equal(0, Timing(await AskAsync(Gateway(PrefixSharing.Key), text)).CachedTokens);

        var all = Gateway(PrefixSharing.All);
        Assert.Equal(0, Timing(await AskAsync(all, text)).CachedTokens);
        Assert.Equal(256, Timing(await AskAsync(all, text, tenant: "other")).CachedTokens);
        await OnlyPagesAreLeftAsync();
    }

    [SharedFact]
    public async Task Where_devices_sign_or_the_prompt_is_scored_every_position_is_computed()
    {
        await cluster.PlaceAsync(2);
        var gateway = Gateway(PrefixSharing.Key);
        ImmutableArray<int> text = [.. Enumerable.Range(5, 2 * Page)];
        await AskAsync(gateway, text);
        Assert.Equal(Page, Timing(await AskAsync(gateway, text)).CachedTokens);
        var scored = await AskAsync(gateway, text, isScored: true);
        Assert.Equal((0, text.Length - 1), (Timing(scored).CachedTokens, scored.OfType<PromptScored>().Sum(part => part.Choices.Length)));
        Assert.Equal(Page, Timing(await AskAsync(gateway, text)).CachedTokens);
        await OnlyPagesAreLeftAsync();
    }

    [SharedFact]
    public async Task A_range_that_is_given_up_gives_the_memory_of_its_pages_back()
    {
        await cluster.PlaceAsync(2);
        await AskAsync(Gateway(PrefixSharing.Key), [.. Enumerable.Range(5, 200)]);
        await OnlyPagesAreLeftAsync();
        Assert.All(cluster.Budgets.Take(2), budget => Assert.True(budget.Pages.Bytes > 0));
        await cluster.PlaceAsync(1);
        await cluster.CrashAsync(0, () => cluster.EmptyAsync());
    }

    private GatewayClient Gateway(PrefixSharing sharing)
        => new(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits with { PrefixSharing = sharing, PromptChunk = 64 }));

    private static async Task<List<IEvent>> AskAsync(GatewayClient gateway, ImmutableArray<int> text, string tenant = "", bool isScored = false)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        var events = new List<IEvent>();
        await foreach (var next in gateway.GenerateAsync(new Prompt(PromptId.New(), new PromptInput(Tokens: text), Settings, ScorePrompt: isScored, Tenant: tenant), patience.Token))
        {
            events.Add(next);
        }

        return events;
    }

    /// <summary>What closes a session goes to every hop by itself, so the last of them may be under way when the answer is there.</summary>
    private async Task OnlyPagesAreLeftAsync()
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        while (cluster.Budgets.Any(budget => budget.Reserved != budget.Pages.Bytes))
        {
            await Task.Delay(10, patience.Token);
        }
    }

    private static GenerationTiming Timing(List<IEvent> events) => Assert.IsType<GenerationFinished>(events[^1]).Timing;

    private static (int Id, int Bits)[] Tokens(List<IEvent> events)
        => [.. events.OfType<TokenGenerated>().Select(token => (token.Choice.Id, BitConverter.SingleToInt32Bits(token.Choice.Logprob)))];
}
