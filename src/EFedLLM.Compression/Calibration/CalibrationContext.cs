using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Calibration;

/// <summary>What every pass of a calibrated compression works with.</summary>
/// <param name="Source">The model.</param>
/// <param name="Tokens">The calibration text.</param>
/// <param name="Threads">Threads that may take part; nothing depends on their number.</param>
/// <param name="Clock">Where time is counted.</param>
/// <param name="Cancellation">Ends the work early.</param>
internal sealed record CalibrationContext(Checkpoint Source, CalibrationTokens Tokens, int Threads, StageClock Clock, CancellationToken Cancellation)
{
    /// <summary>The model's shape.</summary>
    public ModelShape Shape => Source.Shape;

    /// <summary>Some chunks at the beginning of the model.</summary>
    public ResidualStream Open(IEmbedding embedding, IEnumerable<ReadOnlyMemory<int>> chunks) => new(Shape, embedding, [.. chunks.Select(Tokens.InputOf)]);

    /// <summary>Mean negative log-likelihood of the held-out chunks, whose stream has come to the head; null where there are none.</summary>
    public double? HeldOutLoss(ResidualStream stream, HeadWeights head)
    {
        if (Tokens.HeldOut.IsEmpty)
        {
            return null;
        }

        var sum = stream.Project(
            head,
            (sequence, position, logits) => LogitScores.NegativeLogLikelihood(logits.Span, Tokens.HeldOut[sequence].Span.Slice(position, logits.Length / Shape.VocabularySize)),
            null,
            Threads,
            Cancellation);
        return sum / ((long)Tokens.HeldOut.Length * Tokens.Length);
    }

    /// <summary>The weights of a matrix, [outputs, inputs].</summary>
    /// <exception cref="InvalidDataException">One is not finite; the message names the tensor.</exception>
    public float[] Weights(int unit, ManifestSite site) => Source.Read(CheckpointTensors.Of(Shape, unit, site.Name + ".weight"), site.Outputs, site.Inputs);
}
