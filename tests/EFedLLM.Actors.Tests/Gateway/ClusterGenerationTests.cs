using System.Collections.Immutable;
using System.Diagnostics;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Gateway;

/// <summary>Whole generations over real nodes, compared with one process token by token and bit by bit.</summary>
public sealed class ClusterGenerationTests(GenerationCluster cluster, ITestOutputHelper output) : IClassFixture<GenerationCluster>
{
    private static readonly GenerationSettings Settings = new() { MaxTokens = 24, IgnoreEndTokens = true, Sampling = new SamplingSettings { TopLogprobs = 3 } };

    [SharedTheory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(3, 0)]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(3, 1)]
    public async Task An_answer_has_the_same_bits_over_any_number_of_devices_for_every_chunk_alone_and_among_others(int devices, int model)
    {
        var id = cluster.Models[model].Served.Model;
        var assignments = (await cluster.PlaceAsync(devices))[id];
        var prompts = Enumerable.Range(0, 6).Select(number => TestPrompt(number, Settings with { Sampling = Settings.Sampling with { Temperature = number * 0.3f, Seed = (ulong)number } }) with { Model = id.Value }).ToArray();
        var expected = prompts.Select(Local).ToArray();
        foreach (var chunk in (int[])[1, 7, 512])
        {
            var gateway = cluster.StartGateway(GenerationCluster.Limits with { PromptChunk = chunk });
            var client = new GatewayClient(cluster.GatewayNode.System, gateway);
            var alone = await Collect(client, prompts[0]);
            Assert.Equal(expected[0], Outcome(alone));
            var started = Assert.IsType<GenerationStarted>(alone[0]);
            Assert.Equal(assignments.Select(assignment => (assignment.Device, assignment.Range)), started.Route.Select(hop => (hop.Device, hop.Range)));

            var together = await Task.WhenAll(prompts.Select(prompt => Task.Run(() => Collect(client, prompt with { Id = PromptId.New() }))));
            Assert.Equal(expected, together.Select(Outcome));
            cluster.GatewayNode.System.Stop(gateway);
        }

        await cluster.EmptyAsync();
    }

    [SharedTheory]
    [InlineData(1, 512, 0)]
    [InlineData(3, 7, 0)]
    [InlineData(3, 512, 0)]
    [InlineData(3, 512, 4)]
    public async Task A_prompt_is_scored_to_the_last_bit_as_one_process_scores_it_and_its_answer_is_the_same(int devices, int chunk, int answer)
    {
        await cluster.PlaceAsync(devices);
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits with { PromptChunk = chunk }));
        var prompt = TestPrompt(5, Settings with { MaxTokens = answer }) with { ScorePrompt = true };
        var events = await Collect(client, prompt);
        var tokens = Assert.IsType<GenerationStarted>(events[0]).PromptTokens;
        var scores = events.OfType<PromptScored>().ToArray();
        Assert.Equal(scores.Select((_, part) => 1 + scores[..part].Sum(before => before.Choices.Length)), scores.Select(score => score.Index));
        Assert.Equal(LocalScores(tokens, Settings.Sampling), Line(scores.SelectMany(score => score.Choices), "", ""));
        Assert.Equal(FinishReason.Length, Assert.IsType<GenerationFinished>(events[^1]).Reason);
        Assert.Equal(answer, events.OfType<TokenGenerated>().Count());
        if (answer > 0)
        {
            Assert.Equal(Local(prompt), Outcome(events));
        }

        await cluster.EmptyAsync();
    }

    [SharedTheory]
    [InlineData(1, 0, 0f)]
    [InlineData(2, 0, 0f)]
    [InlineData(3, 0, 0.3f)]
    [InlineData(3, 1, 0f)]
    [InlineData(3, 1, 0.3f)]
    public async Task What_is_guessed_ahead_changes_no_bit_of_an_answer(int devices, int model, float temperature)
    {
        var id = cluster.Models[model].Served.Model;
        await cluster.PlaceAsync(devices);
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits with { Drafts = 7 }));
        var copied = string.Concat(Enumerable.Repeat("The cat sat on the mat, and the dog ran to the tree. ", 4));
        var prompt = TestPrompt(0, Settings with { MaxTokens = 60, Sampling = Settings.Sampling with { Temperature = temperature, Seed = 3 } }) with { Model = id.Value, Input = new PromptInput(Text: copied) };
        var expected = Local(prompt);
        var guessed = await Collect(client, prompt);
        var plain = await Collect(client, prompt with { Id = PromptId.New(), Drafts = 0 });
        Assert.Equal(expected, Outcome(guessed));
        Assert.Equal(expected, Outcome(plain));
        var (with, without) = (((GenerationFinished)guessed[^1]).Timing, ((GenerationFinished)plain[^1]).Timing);
        output.WriteLine($"{with.AcceptedTokens} of {with.DraftedTokens} guesses were right.");
        Assert.True(with.DraftedTokens > 0);
        Assert.Equal(0, without.DraftedTokens);
        await cluster.EmptyAsync();
    }

    [SharedFact]
    public async Task Every_hop_of_an_answer_is_reported_with_what_it_computed()
    {
        var assignments = (await cluster.PlaceAsync(3))[cluster.Model.Served.Model];
        var gateway = cluster.StartGateway(GenerationCluster.Limits);
        while (cluster.Reports.TryRead(out _))
        {
        }

        var events = await Collect(new GatewayClient(cluster.GatewayNode.System, gateway), TestPrompt(0, Settings));
        var session = Assert.IsType<GenerationStarted>(events[0]).Session;
        var finished = Assert.IsType<GenerationFinished>(events[^1]);
        Assert.Equal(FinishReason.Length, finished.Reason);
        Assert.Equal(3, finished.Timing.HopComputeMilliseconds.Count(time => time > 0));
        foreach (var assignment in assignments)
        {
            var report = await cluster.Reports.FirstAsync<WorkReport>(_ => true);
            var (shape, rows) = (cluster.Model.Shape, finished.Timing.PromptTokens + 23);
            Assert.Equal(
                new WorkReport(assignment.Device, session, cluster.Model.Served.Model, assignment.Range, WorkOutcome.Served, rows)
                {
                    Size = new WorkSize(UnitWork.Flop(shape, assignment.Range, 0, rows, 24), UnitWork.Flop(shape, assignment.Range, 0, 1, 1)),
                },
                report);
        }
    }

    [SharedFact]
    public async Task A_device_earns_nothing_by_serving_a_gateway_of_its_owner()
    {
        await cluster.PlaceAsync(3);
        var gateway = cluster.StartGateway(GenerationCluster.Limits, owner: GenerationCluster.DeviceOwner);
        while (cluster.Reports.TryRead(out _))
        {
        }

        await Collect(new GatewayClient(cluster.GatewayNode.System, gateway), TestPrompt(0, Settings));
        for (var hop = 0; hop < 3; hop++)
        {
            var report = await cluster.Reports.FirstAsync<WorkReport>(_ => true);
            Assert.Equal(WorkOutcome.Served, report.Outcome);
            Assert.Equal(report.Device != TestSessions.Device(1), report.Size!.Value.Flop > 0);
        }
    }

    [SharedFact]
    public async Task A_stale_route_is_no_route()
    {
        await cluster.PlaceAsync(3);
        var failed = new List<IEvent>();
        await cluster.CrashAsync(1, async () =>
        {
            // The node is there and the actor is not: every attempt finds it closed.
            var prompt = TestPrompt(0, Settings) with { Id = PromptId.New() };
            failed.AddRange(await Collect(new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits with { RouteTimeout = TimeSpan.FromMilliseconds(300) })), prompt));
        });
        Assert.Equal(GenerationError.NoRoute, Assert.IsType<GenerationFailed>(Assert.Single(failed)).Error);
    }

    [SharedTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_device_that_dies_and_comes_back_costs_an_answer_only_time(int device)
    {
        await cluster.PlaceAsync(3);
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits));
        var running = new TaskCompletionSource();
        var prompt = TestPrompt(2, Settings with { MaxTokens = 400, Sampling = Settings.Sampling with { Temperature = 0.7f, Seed = 5 } });
        var answer = Task.Run(() => Collect(client, prompt, () => running.TrySetResult()));
        await running.Task.WaitAsync(TestNode.Patience);
        await cluster.CrashAsync(device, () => Task.CompletedTask);
        Assert.Equal(Local(prompt), Outcome(await answer));
        await cluster.EmptyAsync();
    }

    [SharedFact]
    public async Task Another_device_that_holds_the_layers_takes_over_from_what_the_hop_before_kept()
    {
        await cluster.PlaceReplicaAsync();
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits));
        var prompt = TestPrompt(3, Settings with { MaxTokens = 400, Sampling = Settings.Sampling with { Temperature = 0.7f, Seed = 6 } });
        var (running, next, tokens, since) = (new TaskCompletionSource(), new TaskCompletionSource<TimeSpan>(), 0, 0L);
        var answer = Task.Run(() => Collect(client, prompt, () =>
        {
            if (++tokens == 250)
            {
                running.TrySetResult();
            }

            if (Interlocked.Read(ref since) is var start and > 0 && Stopwatch.GetElapsedTime(start) is var elapsed)
            {
                next.TrySetResult(elapsed);
            }
        }));
        await running.Task.WaitAsync(TestNode.Patience);
        await cluster.CrashAsync(1, async () =>
        {
            Interlocked.Exchange(ref since, Stopwatch.GetTimestamp());
            Assert.Equal(Local(prompt), Outcome(await answer));
            output.WriteLine($"{(await next.Task).TotalMilliseconds:0} ms from the end of a hop to the next token, after 250 tokens of the answer");
        });
        await cluster.EmptyAsync();
    }

    [SharedFact]
    public async Task A_device_that_dies_for_good_ends_its_sessions_with_its_name_and_leaves_nothing_behind()
    {
        await cluster.PlaceAsync(3);
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits with { RepairTimeout = TimeSpan.FromMilliseconds(300) }));
        var running = new TaskCompletionSource();
        var lost = Task.Run(() => Collect(client, TestPrompt(0, Settings with { MaxTokens = 400 }), () => running.TrySetResult()));
        await running.Task.WaitAsync(TestNode.Patience);
        await cluster.CrashAsync(2, async () =>
        {
            var events = await lost;
            var broken = Assert.IsType<GenerationFailed>(events[^1]);
            Assert.Equal(GenerationError.HopLost, broken.Error);
            Assert.Contains("device 00000000", broken.Message, StringComparison.Ordinal);
            Assert.Contains("No reachable device serves", broken.Message, StringComparison.Ordinal);
            Assert.Contains("head", broken.Message, StringComparison.Ordinal);
            await cluster.EmptyAsync();
        });
    }

    [SharedFact]
    public async Task A_plan_that_changes_moves_an_answer_that_runs()
    {
        await cluster.PlaceAsync(3);
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits));
        var running = new TaskCompletionSource();
        var prompt = TestPrompt(1, Settings with { MaxTokens = 480 });
        var answer = Task.Run(() => Collect(client, prompt, () => running.TrySetResult()));
        await running.Task.WaitAsync(TestNode.Patience);
        await cluster.PlaceAsync(2);
        Assert.Equal(Local(prompt), Outcome(await answer));
        await cluster.EmptyAsync();
    }

    [SharedFact]
    public async Task A_device_that_leaves_finishes_what_it_has_and_takes_nothing_new()
    {
        await cluster.PlaceAsync(3);
        var (client, events) = cluster.GatewayNode.Collect();
        var gateway = cluster.StartGateway(GenerationCluster.Limits with { RouteTimeout = TimeSpan.FromMilliseconds(300) });
        var prompt = TestPrompt(0, Settings with { MaxTokens = 480 });
        gateway.Tell(prompt, client);
        await events.FirstAsync<TokenGenerated>(_ => true);
        var left = cluster.LeaveAsync(2);
        await cluster.SeenAsync(view => view.Devices.Any(device => device.Leaving));
        var refused = Assert.IsType<GenerationFailed>(Assert.Single(await Collect(new GatewayClient(cluster.GatewayNode.System, gateway), TestPrompt(1, Settings))));
        Assert.Equal(GenerationError.NoRoute, refused.Error);
        Assert.Equal(FinishReason.Length, (await events.FirstAsync<GenerationFinished>(_ => true)).Reason);
        await left;
        await cluster.CrashAsync(2, () => Task.CompletedTask);
    }

    [SharedFact]
    public async Task A_client_on_another_node_finds_the_gateway_and_leaving_cancels_on_every_hop()
    {
        await cluster.PlaceAsync(3);
        var gateway = cluster.StartGateway(GenerationCluster.Limits, ClusterNames.GatewayActor);
        var client = await GatewayClient.ConnectAsync(cluster.DeviceNode(0).System, cluster.GatewayNode.Address, TestNode.Patience);
        Assert.Equal(Local(TestPrompt(2, Settings)), Outcome(await Collect(client, TestPrompt(2, Settings))));

        await foreach (var next in client.GenerateAsync(TestPrompt(2, Settings with { MaxTokens = 400 })))
        {
            if (next is TokenGenerated)
            {
                Assert.All(cluster.Budgets, budget => Assert.NotEqual(0, budget.Reserved));
                break;
            }
        }

        await cluster.EmptyAsync();

        using var cancellation = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in client.GenerateAsync(TestPrompt(2, Settings with { MaxTokens = 400 }), cancellation.Token))
            {
                await cancellation.CancelAsync();
            }
        });
        await cluster.EmptyAsync();

        var (dying, events) = cluster.DeviceNode(1).Collect();
        var remote = await cluster.DeviceNode(1).System.ActorSelection(gateway.Path.ToStringWithAddress(cluster.GatewayNode.Address)).ResolveOne(TestNode.Patience);
        remote.Tell(TestPrompt(3, Settings with { MaxTokens = 400 }), dying);
        await events.FirstAsync<TokenGenerated>(_ => true);
        cluster.DeviceNode(1).System.Stop(dying);
        await cluster.EmptyAsync();
    }

    [SharedFact]
    public async Task A_cancelled_prompt_ends_as_cancelled()
    {
        await cluster.PlaceAsync(2);
        var gateway = cluster.StartGateway(GenerationCluster.Limits);
        var (client, events) = cluster.GatewayNode.Collect();
        var prompt = TestPrompt(0, Settings with { MaxTokens = 400 });
        gateway.Tell(prompt, client);
        await events.FirstAsync<TokenGenerated>(_ => true);
        gateway.Tell(new CancelGeneration(prompt.Id), cluster.GatewayNode.Collect().Actor);
        await events.FirstAsync<TokenGenerated>(_ => true);
        gateway.Tell(new CancelGeneration(prompt.Id), client);
        Assert.Equal(FinishReason.Cancelled, (await events.FirstAsync<GenerationFinished>(_ => true)).Reason);
        await cluster.EmptyAsync();
    }

    [SharedFact]
    public async Task Prompts_beyond_the_places_wait_and_beyond_the_queue_are_refused()
    {
        await cluster.PlaceAsync(1);
        var gateway = cluster.StartGateway(GenerationCluster.Limits with { GatewayMaxSessions = 1, MaxQueued = 1 });
        var (client, events) = cluster.GatewayNode.Collect();
        var prompts = Enumerable.Range(0, 3).Select(number => TestPrompt(number, Settings with { MaxTokens = number == 0 ? 400 : 5 })).ToArray();
        foreach (var prompt in prompts)
        {
            gateway.Tell(prompt, client);
        }

        var refused = await events.FirstAsync<GenerationFailed>(_ => true);
        Assert.Equal((prompts[2].Id, GenerationError.Overloaded), (refused.Id, refused.Error));
        gateway.Tell(new CancelGeneration(prompts[0].Id), client);
        Assert.Equal(FinishReason.Length, (await events.FirstAsync<GenerationFinished>(finished => finished.Id == prompts[1].Id)).Reason);
    }

    [SharedFact]
    public async Task A_prompt_that_waits_too_long_for_a_place_is_refused()
    {
        await cluster.PlaceAsync(1);
        var gateway = cluster.StartGateway(GenerationCluster.Limits with { GatewayMaxSessions = 1, QueueTimeout = TimeSpan.FromMilliseconds(50) });
        var (client, events) = cluster.GatewayNode.Collect();
        var (slow, waiting) = (TestPrompt(0, Settings with { MaxTokens = 480 }), TestPrompt(1, Settings));
        using (Full(0))
        {
            // No device takes the first, which keeps the only place.
            gateway.Tell(slow, client);
            gateway.Tell(waiting, client);
            Assert.Equal(GenerationError.Overloaded, (await events.FirstAsync<GenerationFailed>(failed => failed.Id == waiting.Id)).Error);
        }
    }

    [SharedFact]
    public async Task Full_devices_make_a_prompt_wait_until_there_is_memory_or_its_time_is_over()
    {
        await cluster.PlaceAsync(2);
        var hasty = cluster.StartGateway(GenerationCluster.Limits with { QueueTimeout = TimeSpan.FromMilliseconds(300) });
        var patient = cluster.StartGateway(GenerationCluster.Limits);
        var system = cluster.GatewayNode.System;
        Task<List<IEvent>> later;
        using (Full(1))
        {
            var failed = Assert.IsType<GenerationFailed>(Assert.Single(await Collect(new GatewayClient(system, hasty), TestPrompt(0, Settings))));
            Assert.Equal(GenerationError.Overloaded, failed.Error);
            Assert.Contains("bytes of cache", failed.Message, StringComparison.Ordinal);
            later = Collect(new GatewayClient(system, patient), TestPrompt(1, Settings));
            Assert.False(later.IsCompleted);
        }

        Assert.Equal(Local(TestPrompt(1, Settings)), Outcome(await later));
        await cluster.EmptyAsync();
    }

    [SharedTheory]
    [InlineData("unknown", GenerationError.UnknownModel)]
    [InlineData("stories260K", GenerationError.Invalid)]
    public async Task A_prompt_that_cannot_be_answered_is_refused_at_once(string model, GenerationError error)
    {
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits));
        var prompt = TestPrompt(0, Settings with { MaxTokens = 0 }) with { Model = model };
        Assert.Equal(error, Assert.IsType<GenerationFailed>(Assert.Single(await Collect(client, prompt))).Error);
    }

    private CacheHold Full(int device) => new(cluster.Budgets[device]);

    private static Prompt TestPrompt(int number, GenerationSettings settings)
        => new(PromptId.New(), new PromptInput(Text: string.Join(' ', Enumerable.Repeat("Once upon a time there was a little", number + 1))), settings);

    private static async Task<List<IEvent>> Collect(GatewayClient client, Prompt prompt, Action? atToken = null)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        var events = new List<IEvent>();
        await foreach (var next in client.GenerateAsync(prompt, patience.Token))
        {
            events.Add(next);
            if (next is TokenGenerated)
            {
                atToken?.Invoke();
            }
        }

        return events;
    }

    private static string Outcome(IReadOnlyList<IEvent> events)
    {
        var tokens = events.OfType<TokenGenerated>().ToArray();
        Assert.Equal(Enumerable.Range(0, tokens.Length), tokens.Select(token => token.Index));
        var end = events[^1] is GenerationFinished finished ? $"{finished.Reason} {finished.Text}" : events[^1].ToString();
        return Line(tokens.Select(token => token.Choice), string.Concat(tokens.Select(token => token.Text)), end!);
    }

    private string LocalScores(ImmutableArray<int> tokens, SamplingSettings sampling)
    {
        using var source = ModelFolder.Open(cluster.Folders[0]);
        using var team = new ComputeTeam(1);
        using var shard = TransformerShard.Load(source, LayerRange.Whole(source.Shape.Layers));
        using var cache = shard.CreateCache(tokens.Length);
        var (rows, vocabulary, sampler) = (tokens.Length - 1, source.Shape.VocabularySize, new Sampler());
        var logits = new float[rows * vocabulary];
        shard.Forward([new ShardStep { Cache = cache, Count = rows, Tokens = tokens[..rows].ToArray(), Hidden = new float[rows * source.Shape.HiddenSize], LogitRows = rows, Logits = logits }], team);
        return Line(Enumerable.Range(0, rows).Select(row => sampler.Score(logits.AsSpan(row * vocabulary, vocabulary), tokens[row + 1], sampling)), "", "");
    }

    private string Local(Prompt prompt)
    {
        var model = cluster.Models.FirstOrDefault(model => model.Served.Model.Value == prompt.Model) ?? cluster.Model;
        using var source = ModelFolder.Open(cluster.Folders[model == cluster.Model ? 0 : 1]);
        using var team = new ComputeTeam(2);
        using var generator = new LocalGenerator(source, team);
        var tokens = model.Tokenizer.Encode(prompt.Input.Text!);
        var outputs = generator.Generate(tokens, prompt.Settings, model.Tokenizer).ToArray();
        var drawn = outputs.OfType<GeneratedToken>().ToArray();
        var end = outputs.OfType<Transformer.Generation.GenerationEnd>().Single();
        return Line(drawn.Select(token => token.Choice), string.Concat(drawn.Select(token => token.Text)), $"{end.Reason} {end.Text}");
    }

    private static string Line(IEnumerable<TokenChoice> choices, string text, string end)
        => $"{string.Join(' ', choices.Select(choice => $"{choice.Id}/{BitConverter.SingleToInt32Bits(choice.Logprob):x8}/{string.Join('+', choice.Top.Select(top => $"{top.Id}:{BitConverter.SingleToInt32Bits(top.Logprob):x8}"))}"))} | {text} | {end}";

    private sealed class CacheHold : IDisposable
    {
        private readonly CacheBudget _budget;
        private readonly long _bytes;

        public CacheHold(CacheBudget budget)
        {
            (_budget, _bytes) = (budget, budget.Total - budget.Reserved);
            Assert.True(budget.TryReserve(_bytes));
        }

        public void Dispose() => _budget.Release(_bytes);
    }
}
