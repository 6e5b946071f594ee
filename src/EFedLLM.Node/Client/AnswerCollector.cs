using System.Text;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Client;

/// <summary>Reads one generation to its end.</summary>
internal static class AnswerCollector
{
    /// <summary>Generates and returns the whole answer.</summary>
    /// <param name="source">Who answers.</param>
    /// <param name="request">The prompt.</param>
    /// <param name="onText">Gets each piece of text as it becomes certain, or null.</param>
    /// <param name="cancellation">Ends the generation.</param>
    /// <exception cref="UserErrorException">The generation failed; the message says why.</exception>
    public static async Task<PromptAnswer> CollectAsync(IAnswerSource source, GenerateRequest request, Action<string>? onText, CancellationToken cancellation)
    {
        StartedEvent? started = null;
        var text = new StringBuilder();
        var logprobs = new List<AnswerLogprob>();
        var signed = new SortedDictionary<int, HopReceipts>();
        SignedEvent? last = null;
        await foreach (var next in source.GenerateAsync(request, cancellation))
        {
            switch (next)
            {
                case StartedEvent start:
                    started = start;
                    break;
                case TokenEvent token:
                    logprobs.Add(new AnswerLogprob(token.Id, token.Logprob, request.TopLogprobs > 0 ? token.Top : null));
                    Take(token.Text);
                    break;
                case SignedEvent part:
                    last = part;
                    signed[part.Hop] = signed.TryGetValue(part.Hop, out var before) ? before with { Units = [.. before.Units, .. part.Signed.Units] } : part.Signed;
                    break;
                case FinishedEvent finished when started is not null:
                    Take(finished.Text);
                    var answer = new PromptAnswer(
                        text.ToString(), started.PromptTokenIds, [.. logprobs.Select(entry => entry.Id)], finished.FinishReason, logprobs, started.Route, finished.Timing);
                    return finished.Receipts is { } root && last is not null
                        ? AnswerFile.Seal(answer with
                        {
                            Signed = new AnswerReceipts(
                                last.Cluster, started.Session, started.ModelId, new AnswerSampling(request.Temperature, request.TopP ?? 1, request.TopK, request.Seed, request.Stop, request.IgnoreEos), root, [.. signed.Values], last.Commitment),
                        })
                        : answer;
                case FailedEvent failed:
                    throw new UserErrorException(failed.Message);
            }
        }

        throw new UserErrorException("The answer ended before it was complete.");

        void Take(string piece)
        {
            if (piece.Length > 0)
            {
                text.Append(piece);
                onText?.Invoke(piece);
            }
        }
    }
}
