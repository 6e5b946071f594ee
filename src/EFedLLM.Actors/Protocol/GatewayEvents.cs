using System.Collections.Immutable;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Protocol;

/// <summary>One hop of a route, for people.</summary>
/// <param name="Device">The device.</param>
/// <param name="Address">Its node's address.</param>
/// <param name="Range">The units it computes.</param>
public sealed record HopDescription(DeviceId Device, string Address, LayerRange Range);

/// <summary>The session runs.</summary>
/// <param name="Id">The prompt.</param>
/// <param name="Session">The session.</param>
/// <param name="Model">The model.</param>
/// <param name="ModelName">Its name.</param>
/// <param name="PromptTokens">The prompt's token ids.</param>
/// <param name="Route">The hops in order, with which it begins: others may take their place.</param>
public sealed record GenerationStarted(PromptId Id, SessionId Session, ModelId Model, string ModelName, ImmutableArray<int> PromptTokens, ImmutableArray<HopDescription> Route) : IEvent
{
    /// <inheritdoc/>
    public bool Equals(GenerationStarted? other) => other is not null && Id == other.Id && Session == other.Session && Model == other.Model
        && ModelName == other.ModelName && PromptTokens.AsSpan().SequenceEqual(other.PromptTokens.AsSpan()) && Route.AsSpan().SequenceEqual(other.Route.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Id, Session, Model);
}

/// <summary>A token came out.</summary>
/// <param name="Id">The prompt.</param>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Choice">The token.</param>
/// <param name="Text">The text that became certain with it; may be empty, and may belong to earlier tokens.</param>
/// <param name="TransportMilliseconds">Time of its step in which no hop computed: what the messages from hop to hop cost. 0 for the first token, whose steps overlap, for the first after a hop was replaced, and for those that came with another one's step.</param>
public sealed record TokenGenerated(PromptId Id, int Index, TokenChoice Choice, string Text, double TransportMilliseconds) : IEvent
{
    /// <inheritdoc/>
    public bool Equals(TokenGenerated? other) => other is not null && Id == other.Id && Index == other.Index && Text == other.Text && TransportMilliseconds.Equals(other.TransportMilliseconds)
        && TokenChoiceComparer.Instance.Equals(Choice, other.Choice);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Id, Index, Text);
}

/// <summary>Some of the prompt's own tokens are scored: in order, without a gap, from its second one on.</summary>
/// <param name="Id">The prompt.</param>
/// <param name="Index">The place of the first of them in the prompt, from 0.</param>
/// <param name="Choices">The tokens with their probabilities, each given what is before it.</param>
public sealed record PromptScored(PromptId Id, int Index, ImmutableArray<TokenChoice> Choices) : IEvent
{
    /// <inheritdoc/>
    public bool Equals(PromptScored? other) => other is not null && Id == other.Id && Index == other.Index
        && Choices.AsSpan().SequenceEqual(other.Choices.AsSpan(), TokenChoiceComparer.Instance);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Id, Index, Choices.Length);
}

/// <summary>An encoder has encoded the prompt: what was asked for.</summary>
/// <param name="Id">The prompt.</param>
/// <param name="Values">A vector of the hidden size, or a logit for each class.</param>
public sealed record TextEncoded(PromptId Id, ReadOnlyMemory<float> Values) : IEvent
{
    /// <inheritdoc/>
    public bool Equals(TextEncoded? other) => other is not null && Id == other.Id && Values.Span.SequenceEqual(other.Values.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Id, Values.Length);
}

/// <summary>How long a generation took.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="GeneratedTokens">Tokens generated.</param>
/// <param name="QueueMilliseconds">From the prompt's arrival to its first step.</param>
/// <param name="PrefillMilliseconds">From the first step to the first token.</param>
/// <param name="DecodeMilliseconds">From the first to the last token.</param>
/// <param name="HopComputeMilliseconds">Compute time of each hop of the last route, all its steps together.</param>
/// <param name="CachedTokens">Tokens of the prompt that no hop computed, because all of them had kept what came of the same first tokens.</param>
/// <param name="DraftedTokens">Tokens that were guessed ahead.</param>
/// <param name="AcceptedTokens">Those of them that were right: so many steps were saved.</param>
public sealed record GenerationTiming(
    int PromptTokens, int GeneratedTokens, double QueueMilliseconds, double PrefillMilliseconds, double DecodeMilliseconds, ImmutableArray<double> HopComputeMilliseconds,
    int CachedTokens = 0, int DraftedTokens = 0, int AcceptedTokens = 0)
{
    /// <inheritdoc/>
    public bool Equals(GenerationTiming? other) => other is not null && PromptTokens == other.PromptTokens && GeneratedTokens == other.GeneratedTokens
        && CachedTokens == other.CachedTokens && DraftedTokens == other.DraftedTokens && AcceptedTokens == other.AcceptedTokens
        && QueueMilliseconds.Equals(other.QueueMilliseconds) && PrefillMilliseconds.Equals(other.PrefillMilliseconds)
        && DecodeMilliseconds.Equals(other.DecodeMilliseconds) && HopComputeMilliseconds.AsSpan().SequenceEqual(other.HopComputeMilliseconds.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(PromptTokens, GeneratedTokens, PrefillMilliseconds, DecodeMilliseconds);
}

/// <summary>The generation ended as it should.</summary>
/// <param name="Id">The prompt.</param>
/// <param name="Reason">Why it ended.</param>
/// <param name="Text">Text held back until now (after the last <see cref="TokenGenerated"/>).</param>
/// <param name="Timing">How long it took.</param>
/// <param name="Receipts">The Merkle root over the hashes of all receipts that the hops signed, hop by hop in execution order; all zero where not everything is signed.</param>
public sealed record GenerationFinished(PromptId Id, FinishReason Reason, string Text, GenerationTiming Timing, Digest Receipts = default) : IEvent;

/// <summary>What a hop signed for the answer, from its first position on, and whether that was checked. One hop may take several of these, which follow each other.</summary>
/// <param name="Id">The prompt.</param>
/// <param name="HopIndex">The hop's place in the last route.</param>
/// <param name="PublicKey">Its device's Ed25519 public key, 32 bytes.</param>
/// <param name="CheckedTo">One past the last position that somebody recomputed and found right.</param>
/// <param name="CheckedBy">Who recomputed; the gateway under its own id.</param>
/// <param name="Units">Receipts with signatures, in order, at least one, all of one session, device, model and range; at most <see cref="MostUnits"/>.</param>
/// <param name="Commitment">What was given away of the nonces that chose what was checked: part of the session's terms, which every hop signed (<see cref="SessionTerms"/>).</param>
public sealed record HopSigned(PromptId Id, int HopIndex, ReadOnlyMemory<byte> PublicKey, int CheckedTo, ImmutableArray<DeviceId> CheckedBy, ImmutableArray<SignedReceipt> Units, Digest Commitment = default) : IEvent
{
    /// <summary>Most receipts of one message.</summary>
    public const int MostUnits = 128;

    /// <inheritdoc/>
    public bool Equals(HopSigned? other) => other is not null && Id == other.Id && HopIndex == other.HopIndex && PublicKey.Span.SequenceEqual(other.PublicKey.Span)
        && CheckedTo == other.CheckedTo && CheckedBy.AsSpan().SequenceEqual(other.CheckedBy.AsSpan()) && Units.AsSpan().SequenceEqual(other.Units.AsSpan()) && Commitment == other.Commitment;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Id, HopIndex, CheckedTo, Units.Length);
}

/// <summary>Why a generation failed.</summary>
public enum GenerationError
{
    /// <summary>The request breaks a limit or makes no sense; asking again the same way is useless.</summary>
    Invalid = 1,

    /// <summary>The prompt and answer do not fit the model's context.</summary>
    TooLong = 2,

    /// <summary>The cluster has no such model.</summary>
    UnknownModel = 3,

    /// <summary>The gateway or a shard is full; ask again later.</summary>
    Overloaded = 4,

    /// <summary>No set of devices covers the model at present.</summary>
    NoRoute = 5,

    /// <summary>A hop died or failed during the generation, and no other could take its place in time.</summary>
    HopLost = 6,

    /// <summary>Something unexpected; the log has more.</summary>
    Internal = 7,

    /// <summary>The answer was to be verified, and could not be.</summary>
    Unverified = 8,
}

/// <summary>The generation failed; nothing follows.</summary>
/// <param name="Id">The prompt.</param>
/// <param name="Error">What kind of failure.</param>
/// <param name="Message">For people: what happened and what to do.</param>
public sealed record GenerationFailed(PromptId Id, GenerationError Error, string Message) : IEvent;
