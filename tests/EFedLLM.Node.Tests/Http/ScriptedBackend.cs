using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Http;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Node.Tests.Http;

/// <summary>A gateway of which every word is known: it answers with the tokens 10, 11, … whose texts are given, and can stop before one of them until it is cancelled.</summary>
internal sealed class ScriptedBackend : IGatewayBackend
{
    public static readonly ModelId Model = new(new string('a', 64));

    /// <summary>The texts of the tokens.</summary>
    public string[] Texts { get; init; } = ["The", " answer", ".", ""];

    /// <summary>Says this instead of an answer.</summary>
    public (GenerationError Error, string Message)? Failure { get; init; }

    /// <summary>Before so many tokens the failure does not come.</summary>
    public int FailsAfter { get; init; } = -1;

    /// <summary>Waits for ever before the token of this index.</summary>
    public int StopsBefore { get; init; } = -1;

    /// <summary>Every prompt that arrived.</summary>
    public ConcurrentQueue<Prompt> Prompts { get; } = new();

    /// <summary>Completes when a generation was cancelled.</summary>
    public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when a prompt arrived.</summary>
    public TaskCompletionSource Arrived { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string? WhyNotReady { get; init; }

    public IReadOnlyList<(string Name, ModelId Model)> Models => [("tiny", Model)];

    public int? LayersOf(ModelId model) => 2;

    public string TokenText(ModelId model, int token) => token - 10 is >= 0 and var index && index < Texts.Length ? Texts[index] : $"<{token}>";

    public async IAsyncEnumerable<IEvent> GenerateAsync(Prompt prompt, [EnumeratorCancellation] CancellationToken cancellation)
    {
        Prompts.Enqueue(prompt);
        Arrived.TrySetResult();
        if (Failure is { } failure && FailsAfter < 0)
        {
            yield return new GenerationFailed(prompt.Id, failure.Error, failure.Message);
            yield break;
        }

        var device = new DeviceId(new string('1', 32));
        yield return new GenerationStarted(prompt.Id, SessionId.New(), Model, "tiny", [1, 2, 3], [new HopDescription(device, "127.0.0.1:1", new LayerRange(0, 4))]);
        for (var index = 0; index < Texts.Length; index++)
        {
            if (index == FailsAfter)
            {
                yield return new GenerationFailed(prompt.Id, Failure!.Value.Error, Failure.Value.Message);
                yield break;
            }

            if (index == StopsBefore)
            {
                try
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
                }
                finally
                {
                    Cancelled.TrySetResult();
                }
            }

            var top = Enumerable.Range(0, prompt.Settings.Sampling.TopLogprobs).Select(rank => new TokenLogprob(10 + index + rank, -0.5f - rank));
            yield return new TokenGenerated(prompt.Id, index, new TokenChoice(10 + index, -0.5f, [.. top]), Texts[index], 0.25);
        }

        yield return new GenerationFinished(prompt.Id, FinishReason.Stop, "", new GenerationTiming(3, Texts.Length, 0.1, 2, 3, [4.5]));
    }
}
