using System.Collections.Immutable;
using System.Globalization;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Allocation;

/// <summary>Which form every matrix gets, and what is predicted of it.</summary>
/// <param name="Matrices">All matrices, in the manifest's order, the embedding first.</param>
/// <param name="BitsPerWeight">Bits per weight all-in, as <see cref="ModelManifest.ReadBitsPerWeight"/> counts them.</param>
public sealed record BitPlan(ImmutableArray<PlannedMatrix> Matrices, double BitsPerWeight)
{
    /// <summary>The forms.</summary>
    public ImmutableArray<MatrixForm> Forms => [.. Matrices.Select(matrix => matrix.Form)];

    /// <summary>The sum of the predicted losses: KL divergence from the uncompressed model, in nats per token.</summary>
    public double Loss => Matrices.Sum(matrix => matrix.Loss);

    /// <summary>Gives out the bits of a budget.</summary>
    /// <param name="shape">The model's shape.</param>
    /// <param name="survey">What was measured.</param>
    /// <param name="bitsPerWeight">The most bits per weight, all-in.</param>
    /// <exception cref="InvalidDataException">Even the smallest forms take more; the message says how much they take.</exception>
    public static BitPlan Of(ModelShape shape, ModelSurvey survey, double bitsPerWeight)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(survey);
        var embedding = ManifestLayout.Form(0, ManifestLayout.Sites(shape, 0)[0], new GroupForm(8, ManifestLayout.EmbeddingGroup), 0, null);
        var options = survey.Matrices.Select(matrix => matrix.Forms.Select(form => new PlannedMatrix(
            ManifestLayout.Form(matrix.Unit, matrix.Site, form.Form, 0, null), matrix.Loss(form.Error))).ToArray()).ToArray();
        var weights = ManifestLayout.ParametersPerToken(shape);
        var fixedBytes = FixedBytes(shape, embedding);
        var budget = (long)Math.Floor(bitsPerWeight * weights / 8) - fixedBytes;
        var chosen = BudgetAllocator.Choose([.. options.Select(forms => forms.Select(form => new MatrixOption(form.Form.Bytes, form.Loss)).ToArray())], budget);
        if (chosen is null)
        {
            var least = fixedBytes + options.Sum(forms => forms.Min(form => form.Form.Bytes));
            throw new InvalidDataException(string.Create(
                CultureInfo.InvariantCulture,
                $"{bitsPerWeight:0.##} bits per weight cannot be met: the nearest is {Math.Ceiling(800.0 * least / weights) / 100:0.00}, with every matrix in its smallest form."));
        }

        var planned = options.Select((forms, index) => forms[chosen[index]]).Prepend(new PlannedMatrix(embedding, 0)).ToImmutableArray();
        return new BitPlan(planned, 8.0 * (fixedBytes + planned.Skip(1).Sum(matrix => matrix.Form.Bytes)) / weights);
    }

    /// <summary>Bytes that a token reads besides matrices of layers and head: a row of the embedding, norms and biases.</summary>
    private static long FixedBytes(ModelShape shape, MatrixForm embedding)
    {
        var vectors = Enumerable.Range(1, shape.Layers + 1).Sum(unit => ManifestLayout
            .Tensors(shape, unit, [.. ManifestLayout.Sites(shape, unit).Select(site => ManifestLayout.Form(unit, site, new GroupForm(8, 32), 0, null))])
            .Where(tensor => tensor.Type == "F32").Sum(tensor => tensor.Bytes));
        return embedding.Bytes / shape.VocabularySize + vectors;
    }
}
