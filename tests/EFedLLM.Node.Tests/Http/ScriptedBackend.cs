using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Http;
using EFedLLM.Transformer.Blocks;
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

    /// <summary>The root over what the hops signed; none where nothing is signed.</summary>
    public Digest Receipts { get; init; }

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
        if (prompt.Output != SequenceOutput.None)
        {
            // The length of the input tells the vectors apart.
            var length = prompt.Input.Text?.Length ?? prompt.Input.Tokens!.Value.Length;
            yield return new TextEncoded(prompt.Id, new float[] { 3 * length, 4 * length, 0 });
            yield return new GenerationFinished(prompt.Id, FinishReason.Stop, "", new GenerationTiming(3, 0, 0.1, 2, 0, [1.5]));
            yield break;
        }

        if (prompt.ScorePrompt)
        {
            // The prompt's own tokens, in two parts.
            yield return new PromptScored(prompt.Id, 1, [new TokenChoice(2, -2f, Top(2))]);
            yield return new PromptScored(prompt.Id, 2, [new TokenChoice(3, -3f, Top(3))]);
        }

        var count = Math.Min(Texts.Length, prompt.Settings.MaxTokens);
        for (var index = 0; index < count; index++)
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

            yield return new TokenGenerated(prompt.Id, index, new TokenChoice(10 + index, -0.5f, Top(10 + index)), Texts[index], 0.25);
        }

        for (var part = 0; part < 2 && prompt.Signed && Receipts != default; part++)
        {
            var receipt = new Receipt(new ClusterId(new Digest(13, 14, 15, 16)), new SessionId(Guid.Empty), 1, 0, DeviceKey.IdOf(new byte[32]), Model, new LayerRange(0, 4), part * 16, 16, new Digest(1, 2, 3, 4), new Digest(5, 6, 7, 8), new Digest(9, 10, 11, 12), default);
            yield return new HopSigned(prompt.Id, 0, new byte[32], 16, [device], [new SignedReceipt(receipt, [.. new byte[64]])]);
        }

        yield return new GenerationFinished(prompt.Id, FinishReason.Stop, "", new GenerationTiming(3, count, 0.1, 2, 3, [4.5], 2), Receipts);

        ImmutableArray<TokenLogprob> Top(int token)
            => [.. Enumerable.Range(0, prompt.Settings.Sampling.TopLogprobs).Select(rank => new TokenLogprob(token + rank, -0.5f - rank))];
    }
}
