using System.Text.Json.Serialization;

namespace EFedLLM.Node.Api;

/// <summary>One line of the answer of <c>POST /efedllm/v1/generate</c>: started, then the prompt's scores where they are asked for, then token by token, then what was signed where that is asked for, then finished; or at any point failed.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(StartedEvent), "started")]
[JsonDerivedType(typeof(PromptEvent), "prompt")]
[JsonDerivedType(typeof(TokenEvent), "token")]
[JsonDerivedType(typeof(SignedEvent), "signed")]
[JsonDerivedType(typeof(FinishedEvent), "finished")]
[JsonDerivedType(typeof(FailedEvent), "failed")]
internal abstract record GenerateEvent;

/// <summary>The session runs.</summary>
/// <param name="Session">The session's id.</param>
/// <param name="Model">The model's name.</param>
/// <param name="ModelId">The model's id.</param>
/// <param name="PromptTokenIds">The prompt as token ids.</param>
/// <param name="Route">The hops in order.</param>
internal sealed record StartedEvent(string Session, string Model, string ModelId, IReadOnlyList<int> PromptTokenIds, IReadOnlyList<RouteHop> Route) : GenerateEvent;

/// <summary>Some of the prompt's own tokens are scored, in order from its second one on; only where that was asked for.</summary>
/// <param name="Index">The place of the first of them in the prompt, from 0.</param>
/// <param name="Tokens">Each with its probability given what is before it.</param>
internal sealed record PromptEvent(int Index, IReadOnlyList<ScoredToken> Tokens) : GenerateEvent;

/// <summary>A token of the prompt.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Logprob">Natural logarithm of its probability at temperature 1.</param>
/// <param name="Top">The most likely tokens in its place, best first; as many as were asked for.</param>
internal sealed record ScoredToken(int Id, float Logprob, IReadOnlyList<TopLogprob> Top);

/// <summary>A token came out.</summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Id">Its id.</param>
/// <param name="Logprob">Natural logarithm of its probability at temperature 1.</param>
/// <param name="Top">The most likely tokens, best first; as many as were asked for.</param>
/// <param name="Text">The text that became certain with it; may be empty.</param>
/// <param name="TransportMilliseconds">Time of its step in which no hop computed; 0 for the first token, and for those that came with another one's step.</param>
internal sealed record TokenEvent(int Index, int Id, float Logprob, IReadOnlyList<TopLogprob> Top, string Text, double TransportMilliseconds = 0) : GenerateEvent;

/// <summary>The generation ended as it should.</summary>
/// <param name="FinishReason"><c>stop</c>, <c>length</c> or <c>cancelled</c>.</param>
/// <param name="Text">Text held back until now.</param>
/// <param name="Timing">How long it took.</param>
/// <param name="Receipts">The Merkle root over the hashes of all receipts that the hops signed, 64 hexadecimal digits; null where not everything is signed.</param>
internal sealed record FinishedEvent(string FinishReason, string Text, AnswerTiming Timing, string? Receipts = null) : GenerateEvent;

/// <summary>What a hop signed for the answer; several of the same hop follow each other.</summary>
/// <param name="Hop">Its place in the last route.</param>
/// <param name="Signed">What it signed.</param>
/// <param name="Cluster">The id of the cluster, 64 hexadecimal digits.</param>
/// <param name="Commitment">What was given away of the nonces that chose what was checked, 32 bytes as hexadecimal digits.</param>
internal sealed record SignedEvent(int Hop, HopReceipts Signed, string Cluster, string Commitment) : GenerateEvent;

/// <summary>The generation failed; nothing follows.</summary>
/// <param name="Error">The kind of failure, for example <c>noRoute</c> or <c>hopLost</c>.</param>
/// <param name="Message">What happened and what to do.</param>
internal sealed record FailedEvent(string Error, string Message) : GenerateEvent;

/// <summary>One hop of a route.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="Address">Its node's address; <c>local</c> where there is no cluster.</param>
/// <param name="First">First unit.</param>
/// <param name="End">One past the last unit.</param>
/// <param name="Units">The units in words; null where the sender does not know the model's depth.</param>
internal sealed record RouteHop(string Device, string Address, int First, int End, string? Units);

/// <summary>A token with its log-probability.</summary>
/// <param name="Id">The token's id.</param>
/// <param name="Logprob">Natural logarithm of its probability at temperature 1.</param>
internal readonly record struct TopLogprob(int Id, float Logprob);

/// <summary>How long a generation took.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="GeneratedTokens">Tokens generated.</param>
/// <param name="QueueMilliseconds">From the prompt's arrival to its first step.</param>
/// <param name="PrefillMilliseconds">From the first step to the first token.</param>
/// <param name="DecodeMilliseconds">From the first to the last token.</param>
/// <param name="HopComputeMilliseconds">Compute time of each hop, all steps together.</param>
/// <param name="CachedTokens">Tokens of the prompt that nobody computed, because what comes of the same first tokens had been kept.</param>
/// <param name="DraftedTokens">Tokens that were guessed ahead.</param>
/// <param name="AcceptedTokens">Those of them that were right.</param>
internal sealed record AnswerTiming(
    int PromptTokens,
    int GeneratedTokens,
    double QueueMilliseconds,
    double PrefillMilliseconds,
    double DecodeMilliseconds,
    IReadOnlyList<double> HopComputeMilliseconds,
    int CachedTokens = 0,
    int DraftedTokens = 0,
    int AcceptedTokens = 0)
{
    /// <summary>Tokens after the first, per second of decoding; 0 where there are none.</summary>
    [JsonIgnore]
    public double TokensPerSecond => GeneratedTokens > 1 && DecodeMilliseconds > 0 ? (GeneratedTokens - 1) * 1000 / DecodeMilliseconds : 0;
}
