using System.Collections.Immutable;
using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Calibration;

/// <summary>
/// The pass that makes the model: unit by unit, each calibrated on what comes out of those already compressed. Its
/// streams go through every layer as it will be served.
/// </summary>
internal sealed class RoundingPass
{
    private readonly CalibrationContext _context;
    private readonly ImmutableArray<MatrixForm> _forms;
    private ResidualStream? _calibration;
    private ResidualStream? _heldOut;

    /// <param name="context">What to work with.</param>
    /// <param name="forms">The forms of all matrices, in the manifest's order: each with a base; matrices of one place have branches of one rank, or none has.</param>
    public RoundingPass(CalibrationContext context, ImmutableArray<MatrixForm> forms) => (_context, _forms) = (context, forms);

    /// <summary>Mean negative log-likelihood of the held-out text, once the head is done; null where none was held out.</summary>
    public double? HeldOutLoss { get; private set; }

    /// <summary>The streams behind the units done.</summary>
    public (float[] Calibration, float[] HeldOut) State => (_calibration!.Values, _heldOut!.Values);

    /// <summary>How many values the streams have.</summary>
    public int[] StateLengths => [ValuesOf(_context.Tokens.Calibration.Length), ValuesOf(_context.Tokens.HeldOut.Length)];

    /// <summary>Takes up the streams behind some units, to go on with the next one.</summary>
    public void Resume(float[] calibration, float[] heldOut) =>
        (_calibration, _heldOut) = (new(_context.Shape, _context.Tokens.Length, calibration), new(_context.Shape, _context.Tokens.Length, heldOut));

    /// <summary>Does the next unit.</summary>
    /// <param name="unit">The unit: one after the other.</param>
    /// <returns>The parts of its matrices, in the manifest's order.</returns>
    public MatrixCompressor.Parts[] Next(int unit) =>
        unit == 0 ? Embedding() : unit <= _context.Shape.Layers ? Layer(unit) : Head(unit);

    private int ValuesOf(int sequences) => checked(sequences * _context.Tokens.Length * _context.Shape.HiddenSize);

    private MatrixCompressor.Parts[] Embedding()
    {
        var site = ManifestLayout.Sites(_context.Shape, 0)[0];
        var table = _context.Clock.Run(Stage.Rounding, () => GroupQuantizer.Quantize(
            _context.Source.Read(CheckpointLayout.Embedding, site.Outputs, site.Inputs), site.Outputs, site.Inputs, ManifestLayout.EmbeddingGroup, _context.Threads, _context.Cancellation));
        var embedding = new TableEmbedding(table);
        (_calibration, _heldOut) = (_context.Open(embedding, _context.Tokens.Calibration), _context.Open(embedding, _context.Tokens.HeldOut));
        return [new(table, null, null)];
    }

    private MatrixCompressor.Parts[] Layer(int unit)
    {
        var weights = _context.Source.LoadLayer(unit - 1);
        var moments = new SiteMoments(_context.Threads);
        _context.Clock.Run(Stage.Calibration, () => _calibration!.Show(UnreadMatrix.Last(weights), moments, _context.Threads, _context.Cancellation));
        var parts = Compress(unit, moments);
        var served = LayerMatrices.With(weights, [.. LayerMatrices.Of(weights).Select((matrix, index) => ServedMatrix.Of(parts[index], matrix.Bias))]);
        _context.Clock.Run(Stage.Calibration, () =>
        {
            _calibration!.Advance(served, null, _context.Threads, _context.Cancellation);
            _heldOut!.Advance(served, null, _context.Threads, _context.Cancellation);
        });
        return parts;
    }

    private MatrixCompressor.Parts[] Head(int unit)
    {
        var head = _context.Source.LoadHead();
        var moments = new SiteMoments(_context.Threads);
        _context.Clock.Run(Stage.Calibration, () => _calibration!.Project(UnreadMatrix.Head(head), (_, _, _) => 0, moments, _context.Threads, _context.Cancellation));
        var parts = Compress(unit, moments);
        HeldOutLoss = _context.Clock.Run(Stage.Calibration, () => _context.HeldOutLoss(_heldOut!, new HeadWeights(head.Norm, ServedMatrix.Of(parts[0], head.Projection.Bias))));
        return parts;
    }

    private MatrixCompressor.Parts[] Compress(int unit, SiteMoments moments)
    {
        var sites = ManifestLayout.Sites(_context.Shape, unit);
        var means = _context.Clock.Run(Stage.Calibration, () => moments.Sites.ToDictionary(site => site, moments.Mean));
        var feedbacks = _context.Clock.Run(Stage.Factorisation, () => Feedbacks.Of(means, _context));
        var parts = new MatrixCompressor.Parts[sites.Length];
        foreach (var place in sites.Select((site, index) => (site, index)).GroupBy(pair => pair.site.Input))
        {
            var indices = place.Select(pair => pair.index).ToArray();
            var weights = indices.Select(index => _context.Weights(unit, sites[index])).ToArray();
            var forms = indices.Select(index => _forms.First(form => form.Unit == unit && form.Name == sites[index].Name)).ToArray();
            var bases = _context.Clock.Run(Stage.Rounding, () => forms.Select((form, index) => GptqRounder.Round(
                weights[index], form.Outputs, form.Inputs, form.Base!, feedbacks[place.Key], _context.Threads, null, _context.Cancellation)).ToArray());
            var (rank, factorForm) = (forms[0].Rank, forms[0].Factors);
            var (u, v) = rank == 0 ? (null, null) : _context.Clock.Run(
                Stage.Factorisation, () => new Branches(weights, bases, means[place.Key], feedbacks[place.Key], rank).Factors(rank, factorForm!, _context));
            for (var i = 0; i < indices.Length; i++)
            {
                parts[indices[i]] = new MatrixCompressor.Parts(bases[i], u?[i], v);
            }
        }

        return parts;
    }
}
