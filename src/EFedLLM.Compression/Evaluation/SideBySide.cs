using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Evaluation;

/// <summary>
/// Compares models with a reference on one text: all go through it together, batch by batch, so that of all the logits only one
/// batch of the reference and one of a model are ever in memory, and the reference computes once for all of them.
/// </summary>
public static class SideBySide
{
    private const double Percentile = 0.99;

    /// <summary>Measures the reference (its scores come first) and then each model.</summary>
    /// <param name="reference">The whole reference model.</param>
    /// <param name="models">Whole models of the same vocabulary.</param>
    /// <param name="tokens">What is scored, at least one token.</param>
    /// <param name="startToken">Fed before each chunk.</param>
    /// <param name="chunk">Tokens that are scored in one context, 1 to the shortest context length.</param>
    /// <param name="team">The threads that compute.</param>
    /// <param name="progress">Is told how many tokens are scored, or null.</param>
    /// <param name="cancellation">Ends it between two batches.</param>
    /// <exception cref="ArgumentException">The vocabularies differ, or tokens and chunk do not fit a model.</exception>
    /// <exception cref="NonFiniteStepException">A model does not lead to finite numbers.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyList<ModelScores> Measure(
        TransformerShard reference,
        IReadOnlyList<TransformerShard> models,
        ReadOnlyMemory<int> tokens,
        int startToken,
        int chunk,
        ComputeTeam team,
        IProgress<int>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(team);
        var vocabulary = reference.Shape.VocabularySize;
        if (models.FirstOrDefault(model => model.Shape.VocabularySize != vocabulary) is { } other)
        {
            throw new ArgumentException(
                $"A model with {other.Shape.VocabularySize} token ids cannot be compared with one of {vocabulary}: compare models made of one checkpoint.", nameof(models));
        }

        var feeders = new List<ChunkFeeder>();
        try
        {
            feeders.AddRange(models.Prepend(reference).Select(model => new ChunkFeeder(model, tokens, startToken, chunk)));
            var tallies = feeders.Select(_ => new Tally(tokens, chunk, vocabulary)).ToArray();
            var expected = new float[feeders[0].MostRows * vocabulary];
            var actual = models.Count > 0 ? new float[expected.Length] : [];
            var scored = 0;
            while (scored < tokens.Length)
            {
                cancellation.ThrowIfCancellationRequested();
                scored += tallies[0].Score(feeders[0].Next(expected, team), expected, null, team);
                for (var i = 1; i < feeders.Count; i++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    tallies[i].Score(feeders[i].Next(actual, team), actual, expected, team);
                }

                progress?.Report(scored);
            }

            return [.. tallies.Select(tally => tally.Result())];
        }
        finally
        {
            feeders.ForEach(feeder => feeder.Dispose());
        }
    }

    /// <summary>The value that the share <paramref name="share"/> of the values does not exceed: the smallest such one of them (nearest rank).</summary>
    internal static double NearestRank(IReadOnlyCollection<double> values, double share) =>
        values.Order().ElementAt(Math.Max((int)Math.Ceiling(share * values.Count) - 1, 0));

    /// <summary>What one model has scored so far.</summary>
    private sealed class Tally(ReadOnlyMemory<int> tokens, int chunk, int vocabulary)
    {
        private readonly ChunkCosts _costs = new(tokens.Length, chunk);
        private readonly double[] _divergences = new double[tokens.Length];
        private readonly RowScores _rows = new(tokens, vocabulary);
        private int _agreeing;

        /// <summary>Scores a batch; without expected logits the model is the reference itself.</summary>
        public int Score(ReadOnlySpan<int> places, float[] logits, float[]? expected, ComputeTeam team)
        {
            _rows.Begin(places, logits, expected);
            team.Run(_rows, places.Length);
            for (var row = 0; row < places.Length; row++)
            {
                _costs.Add(places[row], _rows.Costs[row]);
                _divergences[places[row]] = _rows.Divergences[row];
                _agreeing += _rows.Agree[row] ? 1 : 0;
            }

            return places.Length;
        }

        public ModelScores Result()
        {
            var result = _costs.Result();
            return new ModelScores(
                result.Tokens, result.MeanNll, result.Perplexity, _divergences.Average(), NearestRank(_divergences, Percentile), (double)_agreeing / result.Tokens);
        }
    }
}
