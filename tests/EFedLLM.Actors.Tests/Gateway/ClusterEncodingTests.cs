using System.Collections.Immutable;
using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Tests.Gateway;

/// <summary>Whole sequences through encoders over real nodes, compared with one process bit by bit.</summary>
public sealed class ClusterEncodingTests(EncodingCluster cluster) : IClassFixture<EncodingCluster>
{
    private static readonly GenerationSettings Settings = new() { MaxTokens = 1 };

    [SharedTheory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(3, 0)]
    [InlineData(3, 1)]
    public async Task A_sequence_has_the_same_bits_over_any_number_of_devices_for_every_chunk_alone_and_among_others(int devices, int model)
    {
        await cluster.PlaceAsync(devices);

        // The longest fills the context: 256 KB of activations on every hop.
        var prompts = new[] { 1, 3, 40, 150, 511, 512 }
            .SelectMany(length => new[] { SequenceOutput.Mean, SequenceOutput.Classes }.Select(output => Ask(model, output, [.. Enumerable.Range(2000, length)])))
            .ToArray();
        var expected = Local(model, prompts);
        foreach (var chunk in (int[])[7, 512])
        {
            var gateway = cluster.StartGateway(GenerationCluster.Limits with { PromptChunk = chunk });
            var client = new GatewayClient(cluster.GatewayNode.System, gateway);
            Assert.Equal(expected[5], Values(await Collect(client, prompts[5] with { Id = PromptId.New() })));

            var together = await Task.WhenAll(prompts.Select(prompt => Task.Run(() => Collect(client, prompt with { Id = PromptId.New() }))));
            Assert.Equal(expected, together.Select(Values));
            cluster.GatewayNode.System.Stop(gateway);
        }

        await cluster.EmptyAsync();
    }

    [SharedFact]
    public async Task A_text_is_encoded_in_one_step_and_every_hop_is_reported_and_closed()
    {
        await cluster.PlaceAsync(3);
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits));
        while (cluster.Reports.TryRead(out _))
        {
        }

        var events = await Collect(client, new Prompt(PromptId.New(), new PromptInput(Text: "it 's a charming and often affecting journey ."), Settings, null, SequenceOutput.Classes));

        var started = Assert.IsType<GenerationStarted>(events[0]);
        Assert.Equal([101, 2009, 1005, 1055, 1037, 11951, 1998, 2411, 12473, 4990, 1012, 102], started.PromptTokens.ToArray());
        var logits = Assert.IsType<TextEncoded>(events[1]).Values.ToArray();
        Assert.Equal([-1.8914948, 1.936566], logits.Select(value => (double)value), (one, other) => Math.Abs(one - other) < 5e-6);
        var finished = Assert.IsType<GenerationFinished>(events[2]);
        Assert.Equal((FinishReason.Stop, 12, 0), (finished.Reason, finished.Timing.PromptTokens, finished.Timing.GeneratedTokens));
        Assert.Equal(3, events.Count);
        foreach (var hop in started.Route)
        {
            var report = await cluster.Reports.FirstAsync<WorkReport>(_ => true);
            Assert.Equal(new WorkReport(hop.Device, started.Session, started.Model, hop.Range, WorkOutcome.Served, 12), report with { Size = null });
            Assert.True(report.Size is { Flop: > 0, TokenFlop: > 0 });
        }

        await cluster.EmptyAsync();
    }

    [SharedTheory]
    [InlineData(0, SequenceOutput.None, GenerationError.Invalid, "encoder")]
    [InlineData(2, SequenceOutput.Mean, GenerationError.Invalid, "generates text")]
    [InlineData(2, SequenceOutput.Classes, GenerationError.Invalid, "generates text")]
    public async Task What_a_model_is_not_for_is_refused_at_once(int model, SequenceOutput output, GenerationError error, string mentioned)
    {
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits));
        var failed = Assert.IsType<GenerationFailed>(Assert.Single(await Collect(client, Ask(model, output, [5, 6]))));

        Assert.Equal(error, failed.Error);
        Assert.Contains(mentioned, failed.Message, StringComparison.Ordinal);
    }

    [SharedFact]
    public async Task A_sequence_longer_than_the_context_and_tokens_that_are_none_are_refused()
    {
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits));

        var tooLong = Assert.IsType<GenerationFailed>(Assert.Single(await Collect(client, Ask(0, SequenceOutput.Mean, [.. Enumerable.Repeat(5, 513)]))));
        Assert.Equal(GenerationError.TooLong, tooLong.Error);
        Assert.Contains("512", tooLong.Message, StringComparison.Ordinal);
        Assert.Equal(GenerationError.Invalid, Assert.IsType<GenerationFailed>(Assert.Single(await Collect(client, Ask(0, SequenceOutput.Mean, [30522])))).Error);
    }

    [SharedFact]
    public async Task A_client_that_leaves_ends_its_session_on_every_hop()
    {
        await cluster.PlaceAsync(2);
        var client = new GatewayClient(cluster.GatewayNode.System, cluster.StartGateway(GenerationCluster.Limits));
        using var patience = new CancellationTokenSource(TestNode.Patience);
        await foreach (var happened in client.GenerateAsync(Ask(0, SequenceOutput.Mean, [.. Enumerable.Range(1000, 512)]), patience.Token))
        {
            Assert.IsType<GenerationStarted>(happened);
            break;
        }

        await cluster.EmptyAsync();
    }

    private Prompt Ask(int model, SequenceOutput output, ImmutableArray<int> tokens) =>
        new(PromptId.New(), new PromptInput(Tokens: tokens), Settings, cluster.Models[model].Served.Model.Value, output);

    private float[][] Local(int model, IReadOnlyList<Prompt> prompts)
    {
        using var source = ModelFolder.Open(cluster.Folders[model]);
        using var team = new ComputeTeam(2);
        using var encoder = new LocalEncoder(source, team);
        return [.. prompts.Select(prompt => encoder.Encode(prompt.Input.Tokens!.Value.AsMemory(), prompt.Output))];
    }

    private static float[] Values(IReadOnlyList<IEvent> events) => events.OfType<TextEncoded>().SingleOrDefault()?.Values.ToArray()
        ?? throw new InvalidOperationException($"There is no result; the last event is {events[^1]}.");

    private static async Task<List<IEvent>> Collect(GatewayClient client, Prompt prompt)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        var events = new List<IEvent>();
        await foreach (var next in client.GenerateAsync(prompt, patience.Token))
        {
            events.Add(next);
        }

        return events;
    }
}
