using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Node.Api;

/// <summary>Turns what a gateway says about a generation into the events of the native interface.</summary>
internal static class EventTranslator
{
    /// <summary>The event in the interface's form.</summary>
    /// <param name="happened">What the gateway says.</param>
    /// <param name="layers">Number of layers of the model, by which ranges are put in words; null where it is not known.</param>
    /// <exception cref="ArgumentException">It says something that is no part of a generation.</exception>
    public static GenerateEvent Translate(IEvent happened, int? layers) => happened switch
    {
        GenerationStarted started => new StartedEvent(
            started.Session.ToString(), started.ModelName, started.Model.Value, started.PromptTokens,
            [.. started.Route.Select(hop => new RouteHop(
                hop.Device.Value, hop.Address, hop.Range.First, hop.Range.End, layers is { } depth ? hop.Range.Describe(depth) : null))]),
        PromptScored scored => new PromptEvent(scored.Index, [.. scored.Choices.Select(choice => new ScoredToken(choice.Id, choice.Logprob, Top(choice)))]),
        TokenGenerated token => new TokenEvent(
            token.Index, token.Choice.Id, token.Choice.Logprob,
            Top(token.Choice), token.Text, token.TransportMilliseconds),
        GenerationFinished finished => new FinishedEvent(
            Reason(finished.Reason), finished.Text, Timing(finished.Timing), finished.Receipts == default ? null : finished.Receipts.ToString()),
        HopSigned signed => new SignedEvent(
            signed.HopIndex, Signed(signed), signed.Units[0].Receipt.Cluster.ToString(), signed.Commitment.ToString()),
        GenerationFailed failed => new FailedEvent(Error(failed.Error), failed.Message),
        _ => throw new ArgumentException($"{happened.GetType().Name} is no part of a generation.", nameof(happened)),
    };

    /// <summary>A reason as the interface spells it.</summary>
    public static string Reason(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        _ => "cancelled",
    };

    /// <summary>The most likely tokens in the interface's form.</summary>
    public static IReadOnlyList<TopLogprob> Top(TokenChoice choice) =>
        choice.Top.IsDefaultOrEmpty ? [] : [.. choice.Top.Select(top => new TopLogprob(top.Id, top.Logprob))];

    private static HopReceipts Signed(HopSigned hop)
    {
        var first = hop.Units[0].Receipt;
        return new HopReceipts(
            first.Device.Value, Convert.ToHexStringLower(hop.PublicKey.Span), first.Range.First, first.Range.End, hop.CheckedTo, [.. hop.CheckedBy.Select(device => device.Value)],
            [.. hop.Units.Select(unit => new UnitReceipt(
                unit.Receipt.Epoch, unit.Receipt.HopIndex, unit.Receipt.Position, unit.Receipt.Rows, unit.Receipt.InRoot.ToString(), unit.Receipt.OutRoot.ToString(), unit.Receipt.KvRoot.ToString(),
                Convert.ToHexStringLower(unit.Signature.AsSpan())))]);
    }

    private static AnswerTiming Timing(GenerationTiming timing) => new(
        timing.PromptTokens, timing.GeneratedTokens, timing.QueueMilliseconds, timing.PrefillMilliseconds, timing.DecodeMilliseconds, timing.HopComputeMilliseconds,
        timing.CachedTokens, timing.DraftedTokens, timing.AcceptedTokens);

    private static string Error(GenerationError error)
    {
        var name = error.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
