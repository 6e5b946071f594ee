using Akka.Actor;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Auditing;

/// <summary>
/// Replays proofs: those by signatures alone anywhere, the others with the model files of this machine. The inputs go through a device's own shard once more, as an audit session, and what
/// comes out is compared with what the device signed. One at a time, on threads of its own.
/// </summary>
/// <param name="store">Where proofs are looked for.</param>
/// <param name="folders">Folders of models.</param>
/// <param name="threads">Compute threads.</param>
/// <param name="mostBytes">Memory that a replay may take for weights and caches.</param>
/// <param name="cluster">The cluster in which alone a proof counts; any where it is null.</param>
public sealed class ProofReplay(ProofStore store, IReadOnlyList<string> folders, int threads, long mostBytes, ClusterId? cluster = null) : IProofReplay, IDisposable
{
    private const int RowsPerStep = 64;

    private readonly SemaphoreSlim _turn = new(1);

    /// <inheritdoc/>
    public async Task<ReplayOutcome> ReplayAsync(Digest proof, ProofSubject subject, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return await OnItsOwnThread(
                () => store.TryRead(proof, out var bytes)
                    ? Replay(bytes, folders, threads, mostBytes, cluster, subject, cancellation)
                    : new ReplayOutcome(ReplayResult.CannotTell, $"There is no proof {proof.Short} here: it was kept elsewhere, or gave way to newer ones."),
                cancellation).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Replays a proof on a thread of its own.</summary>
    /// <param name="bytes">Its stored form.</param>
    /// <param name="folders">Folders of models, in the order in which they are looked at.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="mostBytes">Memory that it may take for weights and caches.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <param name="cluster">The cluster in which alone it counts; any where it is null.</param>
    /// <param name="subject">What it has to be about; anything where it is null.</param>
    public static Task<ReplayOutcome> ReplayAsync(
        byte[] bytes, IReadOnlyList<string> folders, int threads, long mostBytes, CancellationToken cancellation, ClusterId? cluster = null, ProofSubject? subject = null)
        => OnItsOwnThread(() => Replay(bytes, folders, threads, mostBytes, cluster, subject, cancellation), cancellation);

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    /// <summary>Replays a proof with an opened model, on the caller's thread.</summary>
    /// <param name="proof">The proof.</param>
    /// <param name="source">The model.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="mostBytes">Memory that it may take.</param>
    /// <param name="cancellation">Ends it early.</param>
    internal static ReplayOutcome Replay(WorkProof proof, IModelSource source, int threads, long mostBytes, CancellationToken cancellation)
    {
        if (ProofRules.Problem(proof) is { } problem)
        {
            return new ReplayOutcome(ReplayResult.DoesNotHold, $"The proof is not whole: {problem}");
        }

        var (disputed, shape) = (proof.Disputed, source.Shape);
        if (source.Id != disputed.Model)
        {
            return CannotTell($"it is about model {disputed.Model.Short}, and this is {source.Id.Short}.");
        }

        if (!disputed.Range.IsValid(shape.Layers) || disputed.Range.HasHead(shape.Layers) == proof.Drawn.IsEmpty
            || (!disputed.Range.HasEmbedding && proof.Hidden.Length != (long)proof.Positions * shape.HiddenSize))
        {
            return new ReplayOutcome(ReplayResult.DoesNotHold, "The proof is not whole: what it holds does not fit the model.");
        }

        var bytes = Enumerable.Range(disputed.Range.First, disputed.Range.Count).Sum(source.UnitBytes) + SessionTable.BytesFor(shape, disputed.Range, proof.Positions);
        if (bytes > mostBytes)
        {
            return CannotTell($"replaying it takes {bytes} bytes of memory, of {mostBytes} that it may take.");
        }

        if (source is FactoredModel model)
        {
            for (var unit = disputed.Range.First; unit < disputed.Range.End; unit++)
            {
                model.Verify(unit);
            }
        }

        var right = Recompute(proof, source, threads, cancellation, out var trouble);
        return trouble is null ? Judge(proof, shape, right) : CannotTell(trouble);
    }

    private static ReplayOutcome Replay(byte[] bytes, IReadOnlyList<string> folders, int threads, long mostBytes, ClusterId? cluster, ProofSubject? subject, CancellationToken cancellation)
    {
        WorkProof proof;
        try
        {
            if (SignatureProof.IsOne(bytes))
            {
                var signed = SignatureProof.Read(bytes);
                return OfAnother(signed.Cluster, cluster) ?? OfElse(subject?.Problem(signed)) ?? Judge(signed);
            }

            proof = WorkProof.Read(bytes);
        }
        catch (InvalidDataException error)
        {
            return new ReplayOutcome(ReplayResult.DoesNotHold, $"The proof is not whole: {error.Message}");
        }

        if ((OfAnother(proof.Terms.Cluster, cluster) ?? OfElse(subject?.Problem(proof))) is { } foreign)
        {
            return foreign;
        }

        try
        {
            using var source = ModelFinder.Open(proof.Disputed.Model, folders);
            return source is null
                ? CannotTell($"there are no files of model {proof.Disputed.Model.Short} here.")
                : Replay(proof, source, threads, mostBytes, cancellation);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException or NotSupportedException)
        {
            return CannotTell($"the model's files cannot be used: {error.Message}");
        }
    }

    /// <summary>What should have come out of the disputed unit, in the form of <see cref="WorkProof.Right"/>.</summary>
    private static Digest Recompute(WorkProof proof, IModelSource source, int threads, CancellationToken cancellation, out string? problem)
    {
        var (disputed, end, width) = (proof.Disputed, proof.Positions, source.Shape.HiddenSize);
        using var team = new ComputeTeam(threads);
        using var shard = new ReplayShard(source, disputed.Range, end, team);
        var (route, hop) = ReplayShard.RouteOf(source, disputed.Range);
        var (session, epoch) = (disputed.Session, GenerationState.FirstEpoch);
        shard.Open(new OpenSession(
            session, epoch, route, hop, end, proof.Terms.Sampling, ActorRefs.Nobody, Audit: new AuditOrder(default, disputed.Position + proof.DrawnFrom)));
        for (var position = 0; position < end && shard.Problem is null; position += RowsPerStep)
        {
            cancellation.ThrowIfCancellationRequested();
            var rows = Math.Min(RowsPerStep, end - position);
            if (disputed.Range.HasEmbedding)
            {
                shard.Feed(new FeedTokens(session, epoch, position, proof.Tokens.Slice(position, rows), false));
            }
            else
            {
                shard.Feed(new FeedHidden(session, epoch, position, rows, false, proof.Hidden.Slice(position * width, rows * width), []));
            }
        }

        shard.Seal(new SealReceipts(session, epoch));
        var answer = shard.Said.OfType<UnitRecomputed>().LastOrDefault(answer => answer.Position == disputed.Position && answer.Rows == disputed.Rows);
        problem = shard.Problem ?? (answer is null ? "computing it gave no result." : null);
        return answer?.Answer ?? default;
    }

    private static ReplayOutcome? OfAnother(ClusterId cluster, ClusterId? wanted) => wanted is { } one && one != cluster
        ? new ReplayOutcome(ReplayResult.DoesNotHold, $"The proof does not hold: it is of cluster {cluster.Short}, and not of {one.Short}.")
        : null;

    private static ReplayOutcome? OfElse(string? problem) => problem is null ? null : new ReplayOutcome(ReplayResult.DoesNotHold, $"The proof does not hold: {problem}");

    private static ReplayOutcome Judge(SignatureProof proof)
        => SignatureRules.Problem(proof) is { } problem
            ? new ReplayOutcome(ReplayResult.DoesNotHold, $"The proof does not hold: {problem}")
            : new ReplayOutcome(ReplayResult.Holds, $"The proof holds: {SignatureRules.Describe(proof)}");

    private static ReplayOutcome Judge(WorkProof proof, ModelShape shape, Digest right)
    {
        var disputed = proof.Disputed;
        var what = $"device {disputed.Device.Short} signed {proof.Signed.Short} for positions {disputed.Position} to {proof.Positions - 1} of {disputed.Range.Describe(shape.Layers)}";
        return right == proof.Signed ? new ReplayOutcome(ReplayResult.DoesNotHold, $"The proof does not hold: {what}, and just that comes out.")
            : right != proof.Right ? new ReplayOutcome(ReplayResult.DoesNotHold, $"The proof does not hold: it says that {proof.Right.Short} is right, and {right.Short} comes out.")
            : new ReplayOutcome(ReplayResult.Holds, $"The proof holds: {what}, and from the inputs that it signed too comes {right.Short}.");
    }

    private static Task<ReplayOutcome> OnItsOwnThread(Func<ReplayOutcome> replay, CancellationToken cancellation)
        => Task.Factory.StartNew(replay, cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static ReplayOutcome CannotTell(string problem) => new(ReplayResult.CannotTell, $"The proof cannot be replayed here: {problem}");
}
