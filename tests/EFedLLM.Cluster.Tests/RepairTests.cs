using System.Diagnostics;
using EFedLLM.Compression;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Models;
using Xunit.Abstractions;

namespace EFedLLM.Cluster.Tests;

/// <summary>kill -9 in the middle of answers: each is compared with the undisturbed one, token by token and bit by bit.</summary>
public class RepairTests(ITestOutputHelper output)
{
    private static readonly GenerateRequest Greedy = new() { Messages = [new ChatLine("user", "Hi")], MaxTokens = 450, IgnoreEos = true, TopLogprobs = 2 };
    private static readonly GenerateRequest Seeded = Greedy with { Temperature = 0.8f, Seed = 42 };

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Kill_9_of_any_hop_pauses_an_answer_and_changes_nothing(int hop)
    {
        await using var cluster = await RunningCluster.StartAsync(3);
        var (greedy, seeded) = (await AnswerAsync(cluster, Greedy), await AnswerAsync(cluster, Seeded));
        Assert.Equal(3, greedy.Hops);
        Assert.Equal(greedy.Tokens, (await AnswerAsync(cluster, Greedy, (20, hop))).Tokens);

        // The two that are left hold the whole model now, and one of them dies too.
        Assert.Equal(seeded.Tokens, (await AnswerAsync(cluster, Seeded, (20, hop % 2))).Tokens);
    }

    [Trait("Category", "Faults")]
    [Fact]
    public async Task Two_deaths_in_a_row_are_one_answer()
    {
        await using var cluster = await RunningCluster.StartAsync(3);
        var undisturbed = await AnswerAsync(cluster, Seeded);
        Assert.Equal(undisturbed.Tokens, (await AnswerAsync(cluster, Seeded, (20, 1), (21, 0))).Tokens);
    }

    [Trait("Category", "Faults")]
    [Fact]
    public async Task A_device_that_freezes_is_replaced_and_does_no_harm_when_it_goes_on()
    {
        await using var cluster = await RunningCluster.StartAsync(3);
        var undisturbed = await AnswerAsync(cluster, Seeded);
        try
        {
            Assert.Equal(undisturbed.Tokens, (await AnswerAsync(cluster, Seeded, EfedllmProcess.Freeze, (20, 1))).Tokens);
        }
        finally
        {
            foreach (var node in cluster.Report.Nodes)
            {
                EfedllmProcess.Thaw(node.Pid);
            }
        }

        Assert.Equal(undisturbed.Tokens, (await AnswerAsync(cluster, Seeded)).Tokens);
    }

    [Trait("Category", "Faults")]
    [Fact]
    public async Task Devices_without_room_for_old_and_new_layers_take_over_all_the_same()
    {
        // Each of two can hold its half of the model, but not beside the third that it holds of three.
        await using var cluster = await RunningCluster.StartAsync(
            3, environment: new Dictionary<string, string> { ["EFEDLLM__DEVICE__CACHE_SHARE"] = "0.5" }, more: ["--memory", "2200KB"]);
        var request = Greedy with { MaxTokens = 200 };
        var undisturbed = await AnswerAsync(cluster, request);
        Assert.Equal(undisturbed.Tokens, (await AnswerAsync(cluster, request, (20, 1))).Tokens);
    }

    [Trait("Category", "Faults")]
    [Fact]
    public async Task A_death_while_the_prompt_is_read_is_the_same_story()
    {
        await using var cluster = await RunningCluster.StartAsync(2);
        var request = Seeded with { Messages = null, Text = string.Join(' ', Enumerable.Repeat("The capital of France is Paris.", 40)), MaxTokens = 20 };
        var undisturbed = await AnswerAsync(cluster, request);
        Assert.Equal(undisturbed.Tokens, (await AnswerAsync(cluster, request, (0, 1))).Tokens);
    }

    /// <summary>Random weights in the shape of a model of 135 million parameters, every layer on two of four devices, which share this machine's cores.</summary>
    [Trait("Category", "Faults")]
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Behind_a_thousand_tokens_a_death_costs_a_pause_and_changes_nothing(int hop)
    {
        var folder = Path.Combine(TestHome.NewFolder("wide"), "model");
        RandomModel.Write(KnownShapes.Find("135m"), folder, 1);
        File.Copy(Path.Combine(ModelFolders.Bundled, "tokenizer.json"), Path.Combine(folder, "tokenizer.json"));
        await using var cluster = await RunningCluster.StartAsync(4, more: ["--model", folder, "--threads", "2"]);
        await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 4));
        var request = new GenerateRequest { Tokens = [.. Enumerable.Range(0, 1000).Select(position => 100 + (position * 37 % 5000))], MaxTokens = 60, IgnoreEos = true };
        var undisturbed = await AnswerAsync(cluster, request);
        Assert.Equal(undisturbed.Tokens, (await AnswerAsync(cluster, request, (20, hop))).Tokens);
    }

    private Task<(int Hops, IReadOnlyList<string> Tokens)> AnswerAsync(RunningCluster cluster, GenerateRequest request, params (int After, int Hop)[] deaths)
        => AnswerAsync(cluster, request, EfedllmProcess.Kill, deaths);

    /// <summary>Asks, and after so many tokens ends the device of a hop of the answer's first route.</summary>
    private async Task<(int Hops, IReadOnlyList<string> Tokens)> AnswerAsync(RunningCluster cluster, GenerateRequest request, Action<int> end, params (int After, int Hop)[] deaths)
    {
        using var patience = new CancellationTokenSource(EfedllmProcess.Patience);
        var facts = await cluster.Client.ReadClusterAsync(patience.Token);
        var (tokens, route, next, since, pause) = (new List<string>(), (IReadOnlyList<RouteHop>)[], 0, (Stopwatch?)null, TimeSpan.Zero);
        await foreach (var happened in cluster.Client.GenerateAsync(request, patience.Token))
        {
            switch (happened)
            {
                case StartedEvent started:
                    route = started.Route;
                    Kill();
                    break;
                case TokenEvent token:
                    pause = since?.Elapsed > pause ? since.Elapsed : pause;
                    since?.Restart();
                    Assert.Equal(tokens.Count, token.Index);
                    tokens.Add($"{token.Id}/{BitConverter.SingleToInt32Bits(token.Logprob):x8}/{string.Join('+', token.Top)}/{token.Text}");
                    Kill();
                    break;
                case FinishedEvent finished:
                    tokens.Add($"{finished.FinishReason} {finished.Text}");
                    break;
                default:
                    Assert.Fail($"{happened}");
                    break;
            }
        }

        if (since is not null)
        {
            // Tokens that were drawn before still come after it, so it is the longest pause that counts.
            output.WriteLine($"{end.Method.Name} of hop {string.Join(" and ", deaths.Select(death => death.Hop))} of {route.Count}: the longest pause from then on was {pause.TotalSeconds:0.000} s");
        }

        Assert.Equal(request.MaxTokens + 1, tokens.Count);
        Assert.Equal(deaths.Length, next);
        return (route.Count, tokens);

        void Kill()
        {
            for (; next < deaths.Length && tokens.Count >= deaths[next].After; next++)
            {
                end(cluster.Pid(facts.Devices.Single(device => device.Id == route[deaths[next].Hop % route.Count].Device).Name));
                since ??= Stopwatch.StartNew();
            }
        }
    }
}
