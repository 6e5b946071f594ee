using EFedLLM.Compression.Evaluation;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.Output;

/// <summary>A comparison as it is printed.</summary>
/// <param name="Rows">The models, one of them the reference.</param>
/// <param name="ReferenceIsExtra">Whether the reference was not asked for as a model of its own.</param>
/// <param name="Text">Name of the text.</param>
/// <param name="TextSha256">Its hash.</param>
/// <param name="Chunk">Tokens that were scored in one context.</param>
internal sealed record EvalReport(IReadOnlyList<ModelEvaluation> Rows, bool ReferenceIsExtra, string Text, string TextSha256, int Chunk)
{
    /// <summary>The model that the others are compared with.</summary>
    public ModelEvaluation Reference => Rows.First(row => row.IsReference);

    /// <summary>The reference, then the others in their order.</summary>
    public IEnumerable<ModelEvaluation> ReferenceFirst => Rows.OrderBy(row => !row.IsReference);

    /// <summary>The limits that were broken; null where there was no gate.</summary>
    public IReadOnlyList<string>? Broken { get; init; }

    /// <summary>The models that were asked for, for scripts.</summary>
    public IReadOnlyList<EvalRow> ToJson() => [.. Rows.Where(row => !(row.IsReference && ReferenceIsExtra)).Select(row => new EvalRow(
        row.Model,
        Reference.Model,
        "this process",
        row.BitsPerWeight,
        row.BytesPerToken,
        row.TokensPerSecond,
        row.Scores?.Tokens,
        row.Scores?.MeanNll,
        row.Scores?.Perplexity,
        Reference.Scores is { } reference ? row.Scores?.PerplexityChange(reference) : null,
        row.Scores?.MeanKl,
        row.Scores?.P99Kl,
        row.Scores?.Top1Agreement,
        row.LayerErrors,
        row.Classification?.Texts,
        row.Classification?.Accuracy,
        row.Classification?.MeanCrossEntropy))];
}
