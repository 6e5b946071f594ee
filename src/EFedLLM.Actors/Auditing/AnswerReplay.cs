using Akka.Actor;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// Computes a signed answer again, hop by hop with a device's own shards, and compares what comes out of each unit with what was signed.
/// Where this machine has no files of the model it still tells what is not signed as it should be.
/// </summary>
public static class AnswerReplay
{
    private const int RowsPerStep = 64;

    /// <summary>Checks an answer on a thread of its own.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="folders">Folders of models, in the order in which they are looked at.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="mostBytes">Memory that the weights and caches of one hop may take.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <param name="cluster">The cluster in which alone the answer counts; any where it is null.</param>
    public static Task<ReplayOutcome> VerifyAsync(SignedAnswer answer, IReadOnlyList<string> folders, int threads, long mostBytes, CancellationToken cancellation, ClusterId? cluster = null)
        => Task.Factory.StartNew(() => Verify(answer, folders, threads, mostBytes, cluster, cancellation), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Checks an answer with an opened model, on the caller's thread.</summary>
    /// <param name="answer">An answer without a <see cref="AnswerRules.Problem"/>.</param>
    /// <param name="source">The model.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="mostBytes">Memory that the weights and caches of one hop may take.</param>
    /// <param name="cancellation">Ends it early.</param>
    internal static ReplayOutcome Replay(SignedAnswer answer, IModelSource source, int threads, long mostBytes, CancellationToken cancellation)
    {
        var shape = source.Shape;
        if (answer.Hops[^1].Range.End != shape.Units || answer.Positions > shape.ContextLength || answer.PromptTokens.Concat(answer.Tokens).Any(token => token < 0 || token >= shape.VocabularySize))
        {
            return DoesNotHold("what it holds does not fit the model.");
        }

        using var team = new ComputeTeam(threads);
        using var key = DeviceKey.Create();
        float[] hidden = [];
        foreach (var hop in answer.Hops)
        {
            var bytes = Enumerable.Range(hop.Range.First, hop.Range.Count).Sum(source.UnitBytes) + SessionTable.BytesFor(shape, hop.Range, answer.Positions);
            if (bytes > mostBytes)
            {
                return CannotTell($"computing {hop.Range.Describe(shape.Layers)} again takes {bytes} bytes of memory, of {mostBytes} that it may take.");
            }

            for (var unit = hop.Range.First; source is FactoredModel model && unit < hop.Range.End; unit++)
            {
                model.Verify(unit);
            }

            using var shard = new ReplayShard(source, hop.Range, answer.Positions, team, key);
            Compute(answer, source, hop.Range, shard, hidden, cancellation);
            if (shard.Problem is { } trouble)
            {
                return CannotTell($"{hop.Range.Describe(shape.Layers)} could not be computed: {trouble}");
            }

            if (Compare(answer, shape, hop, shard) is { } difference)
            {
                return DoesNotHold(difference);
            }

            hidden = [.. shard.Given.SelectMany(given => given.Hidden.ToArray())];
        }

        var devices = string.Join(", ", answer.Hops.Select(hop => DeviceKey.IdOf(hop.PublicKey.Span).Short));
        return new ReplayOutcome(ReplayResult.Holds, $"The answer holds: {devices} signed {answer.Positions} positions, and all of them come out as they were signed.");
    }

    private static ReplayOutcome Verify(SignedAnswer answer, IReadOnlyList<string> folders, int threads, long mostBytes, ClusterId? cluster, CancellationToken cancellation)
    {
        if (cluster is { } wanted && wanted != answer.Terms.Cluster)
        {
            return DoesNotHold($"it is of cluster {answer.Terms.Cluster.Short}, and not of {wanted.Short}.");
        }

        if (AnswerRules.Problem(answer) is { } problem)
        {
            return DoesNotHold(problem);
        }

        try
        {
            using var source = ModelFinder.Open(answer.Terms.Model, folders);
            return source is null
                ? CannotTell($"it is signed as it should be, and there are no files of model {answer.Terms.Model.Short} here to compute it again.")
                : Replay(answer, source, threads, mostBytes, cancellation);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException or NotSupportedException)
        {
            return CannotTell($"the model's files cannot be used: {error.Message}");
        }
    }

    /// <summary>One hop: as a device that serves and signs, or, as a head draws one token after the other, as one that checks.</summary>
    private static void Compute(SignedAnswer answer, IModelSource source, LayerRange range, ReplayShard shard, float[] hidden, CancellationToken cancellation)
    {
        var (positions, width, isHead) = (answer.Positions, source.Shape.HiddenSize, range.HasHead(source.Shape.Layers));
        var (route, hop) = ReplayShard.RouteOf(source, range);
        var (session, epoch) = (answer.Terms.Session, GenerationState.FirstEpoch);
        shard.Open(new OpenSession(
            session, epoch, route, hop, positions, answer.Terms.Sampling, ActorRefs.Nobody,
            Signed: !isHead, Audit: isHead ? new AuditOrder(default, answer.PromptTokens.Length - 1) : null));
        var tokens = answer.PromptTokens.AddRange(answer.Tokens);
        for (var position = 0; position < positions && shard.Problem is null; position += RowsPerStep)
        {
            cancellation.ThrowIfCancellationRequested();
            var rows = Math.Min(RowsPerStep, positions - position);
            if (range.HasEmbedding)
            {
                shard.Feed(new FeedTokens(session, epoch, position, tokens.Slice(position, rows), false));
            }
            else
            {
                shard.Feed(new FeedHidden(session, epoch, position, rows, false, hidden.AsMemory(position * width, rows * width), isHead ? [] : [.. new int[hop]]));
            }
        }

        shard.Seal(new SealReceipts(session, epoch));
    }

    /// <summary>Where what was signed is not what comes out, for people; or null.</summary>
    private static string? Compare(SignedAnswer answer, ModelShape shape, SignedHop hop, ReplayShard shard)
    {
        var right = shard.Said.OfType<UnitSigned>().ToDictionary(signed => signed.Position, signed => PositionDigest.OfAnswer(default, signed.OutRoot, signed.KvRoot));
        foreach (var recomputed in shard.Said.OfType<UnitRecomputed>())
        {
            right[recomputed.Position] = recomputed.Answer;
        }

        foreach (var receipt in hop.Units.Select(signed => signed.Receipt))
        {
            var signed = hop.Range.HasHead(shape.Layers) ? Merkle.Root(AnswerRules.Draws(answer, receipt, 0)) : receipt.OutRoot;
            if (right.GetValueOrDefault(receipt.Position) != PositionDigest.OfAnswer(default, signed, receipt.KvRoot))
            {
                return $"from position {receipt.Position} on something else comes out of {hop.Range.Describe(shape.Layers)} than device {receipt.Device.Short} signed.";
            }
        }

        return null;
    }

    private static ReplayOutcome DoesNotHold(string problem) => new(ReplayResult.DoesNotHold, $"The answer does not hold: {problem}");

    private static ReplayOutcome CannotTell(string problem) => new(ReplayResult.CannotTell, $"The answer cannot be checked here: {problem}");
}
