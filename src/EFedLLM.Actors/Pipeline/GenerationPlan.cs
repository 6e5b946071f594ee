using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Pipeline;

/// <summary>Everything that is settled about a generation before its first message.</summary>
/// <param name="Prompt">The prompt's id.</param>
/// <param name="Session">The session.</param>
/// <param name="Model">The model.</param>
/// <param name="VocabularySize">Number of token ids.</param>
/// <param name="Route">The hops to begin with.</param>
/// <param name="Tokens">The prompt's token ids, at least one.</param>
/// <param name="Settings">How to generate. Prompt and answer fit the context.</param>
/// <param name="Limits">Chunks and deadlines.</param>
/// <param name="Arrived">When the prompt came.</param>
/// <param name="Output">What the encoder gives; <see cref="SequenceOutput.None"/> to generate.</param>
/// <param name="OutputWidth">How many values that is.</param>
/// <param name="ScorePrompt">Whether the prompt itself is scored; only then may no token at all be asked for, and then it has at least two.</param>
/// <param name="Audit">How devices are checked; null where they are not.</param>
/// <param name="TellsSigned">Whether whoever asked is told what the hops signed.</param>
internal sealed record GenerationPlan(
    PromptId Prompt,
    SessionId Session,
    ServedModel Model,
    int VocabularySize,
    Route Route,
    ImmutableArray<int> Tokens,
    GenerationSettings Settings,
    NodeLimits Limits,
    TimeSpan Arrived,
    SequenceOutput Output = SequenceOutput.None,
    int OutputWidth = 0,
    bool ScorePrompt = false,
    AuditPlan? Audit = null,
    bool TellsSigned = false)
{
    /// <summary>Most positions the session uses: the last token is drawn, not computed on.</summary>
    public int TokenLimit => Tokens.Length + Settings.MaxTokens - 1;

    /// <summary>Tokens of the prompt that are computed: where nothing is drawn after the last one, it has nothing to say.</summary>
    public int FedTokens => Settings.MaxTokens == 0 ? Tokens.Length - 1 : Tokens.Length;

    /// <summary>A hop in words.</summary>
    public string Describe(Hop hop) => $"device {hop.Device.Short} at {hop.Shard.Path.Address} ({hop.Range.Describe(Model.Layers)})";

    /// <summary>The message that opens the session on a hop.</summary>
    /// <param name="open">Which hop of which route.</param>
    /// <param name="pipeline">The session's pipeline.</param>
    public OpenSession Open(OpenHop open, IActorRef pipeline) => new(Session, open.Epoch, open.Route, open.Hop, TokenLimit, Settings.Sampling, pipeline, Output,
        ScorePrompt && open.Hop == open.Route.Hops.Length - 1 ? Tokens : [],
        Signed: Audit is not null);

    /// <summary>The message that opens a check on its verifier.</summary>
    /// <param name="open">The check.</param>
    /// <param name="pipeline">The session's pipeline.</param>
    public OpenSession Open(OpenCheck open, IActorRef pipeline) => new(open.Run.Session, GenerationState.FirstEpoch, open.Route, open.HopIndex, TokenLimit, Settings.Sampling, pipeline,
        Audit: new AuditOrder(open.Run.Key, open.DrawFrom));
}
