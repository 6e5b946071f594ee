using System.Collections.Immutable;
using EFedLLM.Compression.Calibration;
using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Allocation;

/// <summary>
/// The first pass over a model, in float32: collects S at every place, rounds some rows of every matrix to every form to
/// learn what that costs there, and rounds each matrix as a whole, alone, to learn what the model's predictions lose by
/// it. One layer is in memory at a time: each rounded matrix starts a stream of its own that goes on through the layers.
/// </summary>
internal sealed class SurveyPass
{
    /// <summary>Weights of a matrix that stand for all in the comparison of forms, and the fewest rows that they are.</summary>
    private const int SampleWeights = 1 << 18;
    private const int LeastSampleRows = 64;

    private const int MostProbeTokens = 2048;

    private const int LeastProbeTokens = 64;

    /// <summary>Multiplications that measuring sensitivities may take, unless the fewest tokens need more.</summary>
    private const double ProbeProducts = 4e12;

    private readonly CalibrationContext _context;
    private readonly Func<long, bool> _tryBranches;
    private readonly List<BranchSurvey> _branches = [];

    /// <param name="context">What to work with.</param>
    /// <param name="branches">Whether to try branches on a place with matrices of that many weights.</param>
    public SurveyPass(CalibrationContext context, Func<long, bool> branches) => (_context, _tryBranches) = (context, branches);

    /// <summary>Surveys the model.</summary>
    /// <param name="unitDone">Is told after every unit.</param>
    public ModelSurvey Run(Action<int> unitDone)
    {
        var (shape, clock, threads, cancellation) = (_context.Shape, _context.Clock, _context.Threads, _context.Cancellation);
        var embedding = _context.Source.LoadEmbedding();
        var calibration = _context.Open(embedding, _context.Tokens.Calibration);
        var heldOut = _context.Open(embedding, _context.Tokens.HeldOut);
        var probe = _context.Open(embedding, ProbeChunks());
        unitDone(0);
        var drafts = new List<Draft>();
        var probes = new List<ResidualStream>();
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            var weights = _context.Source.LoadLayer(layer);
            var moments = new SiteMoments(threads);
            clock.Run(Stage.Calibration, () =>
            {
                calibration.Advance(weights, moments, threads, cancellation);
                heldOut.Advance(weights, null, threads, cancellation);
            });
            var unit = Survey(layer + 1, moments, [.. LayerMatrices.Of(weights).Select(matrix => matrix.Bias)]);
            clock.Run(Stage.Allocation, () =>
            {
                // Each is too short for several threads, but they are many.
                Each(probes.Count, index => probes[index].Advance(weights, null, 1, cancellation));
                var begun = new ResidualStream[unit.Length];
                Each(unit.Length, index => begun[index] = probe.Through(LayerMatrices.With(weights, index, unit[index].Rounded!), 1, cancellation));
                probes.AddRange(begun);
                probe.Advance(weights, null, threads, cancellation);
            });
            drafts.AddRange(unit.Select(draft => draft with { Rounded = null }));
            unitDone(layer + 1);
        }

        var head = _context.Source.LoadHead();
        var headMoments = new SiteMoments(threads);
        var loss = clock.Run(Stage.Calibration, () =>
        {
            calibration.Project(UnreadMatrix.Head(head), (_, _, _) => 0, headMoments, threads, cancellation);
            return _context.HeldOutLoss(heldOut, head);
        });
        var last = Survey(shape.Layers + 1, headMoments, [head.Projection.Bias])[0];
        var divergences = clock.Run(Stage.Allocation, () => Divergences(probe, probes, head, new HeadWeights(head.Norm, last.Rounded!)));
        drafts.Add(last);
        unitDone(shape.Layers + 1);
        return new ModelSurvey([.. drafts.Zip(divergences, (draft, divergence) => new MatrixSurvey(draft.Unit, draft.Site, divergence, draft.Forms))], loss, [.. _branches]);
    }

    /// <summary>
    /// Chunks that predictions are compared on, spread over the calibration text; the beginning of one where a whole one is
    /// too much. A rounded matrix goes through what follows it, which is half of the model on average.
    /// </summary>
    private IEnumerable<ReadOnlyMemory<int>> ProbeChunks()
    {
        var (shape, chunks, length) = (_context.Shape, _context.Tokens.Calibration, _context.Tokens.Length);
        var matrices = Enumerable.Range(1, shape.Layers + 1).Sum(unit => ManifestLayout.Sites(shape, unit).Length);
        var affordable = Math.Min(ProbeProducts / (matrices * ManifestLayout.ParametersPerToken(shape) / 2.0), MostProbeTokens);
        if (affordable < length)
        {
            return [chunks[0][..Math.Min(length, Math.Max((int)affordable, LeastProbeTokens))]];
        }

        var count = (int)Math.Min(affordable / length, chunks.Length);
        return Enumerable.Range(0, count).Select(index => chunks[(int)((long)index * chunks.Length / count)]);
    }

    private void Each(int count, Action<int> run) =>
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = _context.Threads, CancellationToken = _context.Cancellation }, run);

    private Draft[] Survey(int unit, SiteMoments moments, IReadOnlyList<float[]?> biases)
    {
        var sites = ManifestLayout.Sites(_context.Shape, unit);
        var means = _context.Clock.Run(Stage.Calibration, () => moments.Sites.ToDictionary(site => site, moments.Mean));
        var feedbacks = _context.Clock.Run(Stage.Factorisation, () => Feedbacks.Of(means, _context));
        var drafts = new Draft[sites.Length];
        foreach (var place in sites.Select((site, index) => (site, index)).GroupBy(pair => pair.site.Input))
        {
            var (moment, feedback) = (means[place.Key], feedbacks[place.Key]);
            var weights = place.Select(pair => _context.Weights(unit, pair.site)).ToArray();
            var rounded = _context.Clock.Run(Stage.Rounding, () => place.Zip(weights, (pair, matrix) => GptqRounder.Round(
                matrix, pair.site.Outputs, pair.site.Inputs, MatrixSurvey.ReferenceForm, feedback, _context.Threads, null, _context.Cancellation)).ToArray());
            foreach (var ((site, index), i) in place.Select((pair, i) => (pair, i)))
            {
                var errors = _context.Clock.Run(Stage.Rounding, () => FormErrors(weights[i], site, moment, feedback));
                drafts[index] = new Draft(unit, site, errors, ServedMatrix.Of(new(rounded[i], null, null), biases[index]));
            }

            // Never the head's: it has the most outputs of all matrices, whose U would cost the most.
            if (unit <= _context.Shape.Layers && _tryBranches(weights.Sum(matrix => matrix.LongLength)))
            {
                _context.Clock.Run(Stage.Factorisation, () => TryBranches(unit, place.Key, weights, rounded, moment, feedback));
            }
        }

        return drafts;
    }

    private void TryBranches(int unit, InputSite input, float[][] weights, QuantizedMatrix[] rounded, double[] moment, ErrorFeedback feedback)
    {
        var most = Math.Min(weights.Sum(matrix => matrix.Length) / rounded[0].Inputs, rounded[0].Inputs);
        var ranks = BranchSurvey.Ranks.Where(rank => rank <= rounded.Min(matrix => Math.Min(matrix.Outputs, matrix.Inputs))).ToArray();
        if (ranks.Length == 0)
        {
            return;
        }

        var branches = new Branches(weights, rounded, moment, feedback, Math.Min(ranks[^1], most));
        var before = weights.Select((matrix, index) => OutputError.Of(Residual.Of(matrix, rounded[index]), rounded[index].Outputs, moment, rounded[index].Inputs)).ToArray();
        foreach (var rank in ranks)
        {
            var (u, v) = branches.Factors(rank, BranchSurvey.FactorForm, _context);
            var shares = branches.Errors(u, v, rank, moment).Zip(before, (after, whole) => whole > 0 ? after / whole : 1);
            _branches.Add(new BranchSurvey(unit, input, rank, [.. shares]));
        }
    }

    private ImmutableArray<FormError> FormErrors(float[] weights, ManifestSite site, double[] moment, ErrorFeedback feedback)
    {
        var rows = Math.Min(Math.Max(SampleWeights / site.Inputs, LeastSampleRows), site.Outputs);
        var sample = new float[(long)rows * site.Inputs];
        for (var row = 0; row < rows; row++)
        {
            weights.AsSpan((int)((long)row * site.Outputs / rows) * site.Inputs, site.Inputs).CopyTo(sample.AsSpan(row * site.Inputs));
        }

        var errors = new FormError[MatrixSurvey.Candidates.Length];
        Each(errors.Length, index =>
        {
            var form = MatrixSurvey.Candidates[index];
            var rounded = GptqRounder.Round(sample, rows, site.Inputs, form, feedback, 1, null, _context.Cancellation);
            errors[index] = new FormError(form, OutputError.Of(Residual.Of(sample, rounded), rows, moment, site.Inputs));
        });
        return [.. errors];
    }

    private double[] Divergences(ResidualStream probe, List<ResidualStream> probes, HeadWeights head, HeadWeights roundedHead)
    {
        var (threads, cancellation) = (_context.Threads, _context.Cancellation);
        var length = probe.Length;
        var reference = new ReferenceDistribution(probe.Sequences * length, _context.Shape.VocabularySize);
        probe.Project(head, (sequence, position, logits) => reference.Set(sequence * length + position, logits), null, threads, cancellation);
        var divergences = new double[probes.Count + 1];
        Each(probes.Count, index => divergences[index] = Divergence(probes[index], head, 1));
        divergences[^1] = Divergence(probe, roundedHead, threads);
        return divergences;

        double Divergence(ResidualStream stream, HeadWeights projection, int threads)
        {
            var sum = stream.Project(projection, (sequence, position, logits) => reference.Divergence(sequence * length + position, logits), null, threads, cancellation);

            // Rounding in float32 may make it a little less than nothing.
            return Math.Max(sum / reference.Positions, 1e-12);
        }
    }

    private sealed record Draft(int Unit, ManifestSite Site, ImmutableArray<FormError> Forms, LinearLayer? Rounded);
}
