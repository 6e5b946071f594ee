using EFedLLM.Compression.Evaluation;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.CommandLine;

/// <summary>Measures opened models side by side in this process.</summary>
internal static class EvalComparison
{
    // The errors of layers are means over so many tokens: more hardly move them.
    private const int LayerTokens = 512;

    /// <summary>Measures every model on a part of a text.</summary>
    /// <param name="models">The models.</param>
    /// <param name="text">The part of the text.</param>
    /// <param name="part">How it is scored.</param>
    /// <param name="withLayers">Whether the errors of layers are measured too.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="progress">Is told how many tokens are scored.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The models in their order.</returns>
    public static IReadOnlyList<ModelEvaluation> OnText(
        EvalModels models, ScoredText text, EvalPart part, bool withLayers, int threads, IProgress<int> progress, CancellationToken cancellation)
    {
        var reference = models.Sources[models.Reference];
        var start = StartOf(reference, part);
        using var team = new ComputeTeam(threads);
        var rows = Score(models, text, start, part, team, progress, cancellation);
        return withLayers ? AddLayers(models, rows, text, start, part, team, cancellation) : rows;
    }

    /// <summary>Measures every model on labelled texts.</summary>
    /// <param name="models">The models, all of them classifiers.</param>
    /// <param name="texts">The texts.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="progress">Is told how many texts are classified, all models together.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The models in their order.</returns>
    public static IReadOnlyList<ModelEvaluation> OnLabels(
        EvalModels models, IReadOnlyList<LabelledText> texts, int threads, IProgress<int> progress, CancellationToken cancellation)
    {
        using var team = new ComputeTeam(threads);
        return [.. models.Sources.Select((source, index) =>
        {
            using var shard = TransformerShard.Load(source, LayerRange.Whole(source.Shape.Layers));
            using var classifier = SequenceClassifier.Open(source.Folder, team);
            var before = index * texts.Count;
            return new ModelEvaluation(models.Names[index], BitsOf(shard), shard.WeightBytesPerToken)
            {
                IsReference = index == models.Reference,
                Classification = ClassificationMeter.Measure(
                    new EncoderClassifier(classifier), texts, new ImmediateProgress<int>(done => progress.Report(before + done)), cancellation),
            };
        })];
    }

    /// <summary>The token in front of each chunk.</summary>
    public static int StartOf(IModelSource model, EvalPart part) =>
        part.StartToken ?? StartToken.Of(model.Shape, ModelTokenizer.Load(model.Folder), model.Folder);

    /// <summary>Bits per weight as a shard reads them per token.</summary>
    public static double BitsOf(TransformerShard shard) => shard.WeightBytesPerToken * 8.0 / ManifestLayout.ParametersPerToken(shard.Shape);

    private static List<ModelEvaluation> Score(
        EvalModels models, ScoredText text, int start, EvalPart part, ComputeTeam team, IProgress<int> progress, CancellationToken cancellation)
    {
        var shards = new List<TransformerShard>();
        try
        {
            foreach (var source in models.Sources)
            {
                cancellation.ThrowIfCancellationRequested();
                shards.Add(TransformerShard.Load(source, LayerRange.Whole(source.Shape.Layers)));
            }

            var others = Enumerable.Range(0, shards.Count).Where(index => index != models.Reference).ToList();
            var scores = SideBySide.Measure(
                shards[models.Reference], [.. others.Select(index => shards[index])], text.Tokens, start, part.Chunk, team, progress, cancellation);
            return [.. shards.Select((shard, index) => new ModelEvaluation(models.Names[index], BitsOf(shard), shard.WeightBytesPerToken)
            {
                IsReference = index == models.Reference,
                Scores = scores[index == models.Reference ? 0 : others.IndexOf(index) + 1],
                TokensPerSecond = DecodeSpeed.Measure(shard, text.Tokens, team, cancellation),
            })];
        }
        finally
        {
            shards.ForEach(shard => shard.Dispose());
        }
    }

    private static List<ModelEvaluation> AddLayers(
        EvalModels models, List<ModelEvaluation> rows, ScoredText text, int start, EvalPart part, ComputeTeam team, CancellationToken cancellation)
    {
        var reference = models.Sources[models.Reference];
        var alike = Enumerable.Range(0, rows.Count)
            .Where(index => index != models.Reference
                && models.Sources[index].Shape.Layers == reference.Shape.Layers && models.Sources[index].Shape.HiddenSize == reference.Shape.HiddenSize)
            .ToList();
        var tokens = text.Tokens[..Math.Min(LayerTokens, text.Tokens.Length)];
        var errors = LayerErrors.Measure(reference, [.. alike.Select(index => models.Sources[index])], tokens, start, part.Chunk, team, cancellation);
        return [.. rows.Select((row, index) => alike.IndexOf(index) is var at and >= 0 ? row with { LayerErrors = errors[at] } : row)];
    }
}
