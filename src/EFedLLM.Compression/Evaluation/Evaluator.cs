using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Evaluation;

/// <summary>Measures the quality of models on texts, factored ones and checkpoints alike.</summary>
public static class Evaluator
{
    /// <summary>
    /// Measures perplexity: the text is tokenized without a begin token, a part of it is cut into chunks, and every token
    /// of a chunk is scored after the start token and the chunk's tokens before it.
    /// </summary>
    /// <param name="source">The model; its folder has the tokenizer.</param>
    /// <param name="text">The text.</param>
    /// <param name="settings">Which part of it, and how.</param>
    /// <param name="team">The threads that compute.</param>
    /// <param name="progress">Is told how many tokens are scored, or null.</param>
    /// <param name="cancellation">Ends the measurement early.</param>
    /// <exception cref="ArgumentException">A setting does not fit the model, or the text has no token where scoring should begin.</exception>
    /// <exception cref="FileNotFoundException">The model has no tokenizer.</exception>
    /// <exception cref="InvalidDataException">The model or its tokenizer is damaged.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static EvalOutcome Run(
        IModelSource source,
        string text,
        EvalSettings settings,
        ComputeTeam team,
        IProgress<int>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(settings);
        var part = ScoredText.Encode(source.Folder, text, settings.Skip, settings.Tokens);
        using var meter = new PerplexityMeter(source, team);
        var result = meter.Measure(part.Tokens, settings.StartToken, settings.Chunk, progress, cancellation);
        return new EvalOutcome(part.Sha256, result.Tokens, result.MeanNll, result.Perplexity);
    }
}
