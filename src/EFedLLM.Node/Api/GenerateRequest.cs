using System.Text.Json.Serialization;

namespace EFedLLM.Node.Api;

/// <summary>
/// Body of <c>POST /efedllm/v1/generate</c>. Exactly one of <see cref="Text"/>, <see cref="Messages"/> and <see cref="Tokens"/> is set.
/// The answer is a stream of <see cref="GenerateEvent"/>s, one JSON object a line.
/// </summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record GenerateRequest
{
    /// <summary>Media type of the answer.</summary>
    public const string AnswerType = "application/x-ndjson";

    /// <summary>Plain text, encoded as it is.</summary>
    public string? Text { get; init; }

    /// <summary>A chat, rendered with the model's template.</summary>
    public IReadOnlyList<ChatLine>? Messages { get; init; }

    /// <summary>Token ids, used as they are.</summary>
    public IReadOnlyList<int>? Tokens { get; init; }

    /// <summary>A model's name or id; null is the cluster's.</summary>
    public string? Model { get; init; }

    /// <summary>Most tokens to generate; null is the server's default.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>0 is greedy, which is also the default. 0 to 2.</summary>
    public float Temperature { get; init; }

    /// <summary>Above 0, at most 1; null is 1.</summary>
    public float? TopP { get; init; }

    /// <summary>0 is all.</summary>
    public int TopK { get; init; }

    /// <summary>Seeds the draws.</summary>
    public ulong Seed { get; init; }

    /// <summary>How many alternatives are reported with each token, 0 to 20.</summary>
    public int TopLogprobs { get; init; }

    /// <summary>Texts at which the answer ends.</summary>
    public IReadOnlyList<string>? Stop { get; init; }

    /// <summary>Whether the prompt itself is scored; <see cref="MaxTokens"/> may be 0 then.</summary>
    public bool ScorePrompt { get; init; }

    /// <summary>Whether only what others have recomputed is told.</summary>
    public bool Verified { get; init; }

    /// <summary>Whether what the hops signed is told too, where they sign.</summary>
    public bool Receipts { get; init; }

    /// <summary>Most tokens that are guessed ahead in one step, 0 to 15, at most as many as the gateway allows; null leaves it to the gateway. The answer is the same.</summary>
    public int? Drafts { get; init; }

    /// <summary>Goes on after an end token.</summary>
    public bool IgnoreEos { get; init; }
}

/// <summary>One message of a chat.</summary>
/// <param name="Role"><c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Content">The text.</param>
internal sealed record ChatLine(string Role, string Content);
