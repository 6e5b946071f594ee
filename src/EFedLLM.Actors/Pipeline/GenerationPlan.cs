using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
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
/// <param name="Shape">The model's hyper-parameters; null where nobody knows them.</param>
/// <param name="TellsSigned">Whether whoever asked is told what the hops signed.</param>
/// <param name="Prefix">The names of the whole pages of all tokens but the last, with which hops may begin that kept them; null where every position is computed, as where work is signed or the prompt scored.</param>
/// <param name="Drafts">Most tokens that whoever asked lets be guessed ahead; null leaves it to <paramref name="Limits"/>.</param>
/// <param name="Owner">Whose the gateway is, whose own devices earn nothing by it; null where nobody says.</param>
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
    ModelShape? Shape = null,
    bool TellsSigned = false,
    PrefixChain? Prefix = null,
    int? Drafts = null,
    string? Owner = null)
{
    /// <summary>Most positions the session uses: the last token is drawn, not computed on.</summary>
    public int TokenLimit => Tokens.Length + Settings.MaxTokens - 1;

    /// <summary>Most tokens that are guessed ahead in one step: no more than travel as one message.</summary>
    public int MostDrafts => Math.Min(Math.Min(Drafts ?? Limits.Drafts, Limits.Drafts), Activations.RowsPerMessage(Model.HiddenSize, ProtocolLimits.RowBytes) - 1);

    /// <summary>Tokens of the prompt that are computed: where nothing is drawn after the last one, it has nothing to say.</summary>
    public int FedTokens => Settings.MaxTokens == 0 ? Tokens.Length - 1 : Tokens.Length;

    /// <summary>How much work a range is, from shapes alone; null where they are not known or there is no such range.</summary>
    /// <param name="range">The units.</param>
    /// <param name="position">The first position.</param>
    /// <param name="rows">Number of positions.</param>
    public WorkSize? SizeOf(LayerRange range, int position, int rows)
    {
        if (Shape is not { } shape || !range.IsValid(shape.Layers) || position < 0 || rows < 0)
        {
            return null;
        }

        // The head gives something after the last token of the prompt and each that follows, or after all of them.
        var drawn = Output != SequenceOutput.None || ScorePrompt ? rows : Math.Clamp(position + rows - (Tokens.Length - 1), 0, rows);
        return new WorkSize(UnitWork.Flop(shape, range, position, rows, drawn), UnitWork.Flop(shape, range, 0, 1, 1));
    }

    /// <summary>What every hop is asked for, which it signs; null where nothing is signed.</summary>
    public SessionTerms? Terms => Audit is { } audit
        ? new SessionTerms(audit.Cluster, Session, Model.Model, Settings.Sampling with { TopLogprobs = 0 }, AuditDraw.Commit(Session, audit.Requester, audit.Coordinator))
        : null;

    /// <summary>A hop in words.</summary>
    public string Describe(Hop hop) => $"device {hop.Device.Short} at {hop.Shard.Path.Address} ({hop.Range.Describe(Model.Layers)})";

    /// <summary>The message that opens the session on a hop.</summary>
    /// <param name="open">Which hop of which route.</param>
    /// <param name="pipeline">The session's pipeline.</param>
    public OpenSession Open(OpenHop open, IActorRef pipeline) => new(Session, open.Epoch, open.Route, open.Hop, TokenLimit, Settings.Sampling, pipeline, Output,
        ScorePrompt && open.Hop == open.Route.Hops.Length - 1 ? Tokens : [],
        Signed: Audit is not null,
        Cluster: Audit?.Cluster ?? default,
        Commitment: Terms?.Commitment ?? default,
        Prefix: Prefix?.Keys ?? []);

    /// <summary>The message that opens a check on its verifier.</summary>
    /// <param name="open">The check.</param>
    /// <param name="pipeline">The session's pipeline.</param>
    public OpenSession Open(OpenCheck open, IActorRef pipeline) => new(open.Run.Session, GenerationState.FirstEpoch, open.Route, open.HopIndex, TokenLimit, Settings.Sampling, pipeline,
        Audit: open.Refed is [{ First: 0 } prompt, .. var refed] ? new AuditOrder(open.Run.Key, prompt.End, refed) : new AuditOrder(open.Run.Key, 0, open.Refed),
        Cluster: Audit?.Cluster ?? default);
}
