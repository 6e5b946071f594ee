using System.Collections.Immutable;
using System.Globalization;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Allocation;

/// <summary>Which form every matrix gets, and what is predicted of it.</summary>
/// <param name="Matrices">All matrices, in the manifest's order, the embedding first.</param>
/// <param name="BitsPerWeight">Bits per weight all-in, as <see cref="ModelManifest.ReadBitsPerWeight"/> counts them.</param>
/// <param name="BranchesTried">Low-rank branches that were tried.</param>
public sealed record BitPlan(ImmutableArray<PlannedMatrix> Matrices, double BitsPerWeight, int BranchesTried)
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
        var weights = ManifestLayout.ParametersPerToken(shape);
        var fixedBytes = FixedBytes(shape);
        var budget = (long)Math.Floor(bitsPerWeight * weights / 8) - fixedBytes;
        var options = survey.Matrices
            .Select(matrix => matrix.Forms.Select(form => new PlannedMatrix(ManifestLayout.Form(matrix.Unit, matrix.Site, form.Form, 0, null), matrix.Loss(form.Error))).ToArray())
            .ToArray();
        var planned = Solve(options, budget) ?? throw new InvalidDataException(string.Create(
            CultureInfo.InvariantCulture,
            $"{bitsPerWeight:0.##} bits per weight cannot be met: the nearest is {LeastBits(shape):0.00}, with every matrix in its smallest form."));
        planned = WithBranches(survey, options, planned, budget);
        var matrices = Tables(shape).Select(table => new PlannedMatrix(table, 0)).Concat(planned).ToImmutableArray();
        return new BitPlan(matrices, 8.0 * (fixedBytes + planned.Sum(matrix => matrix.Form.Bytes)) / weights, survey.Branches.Length);
    }

    /// <summary>The least bits per weight that a model of a shape can have, rounded up to hundredths.</summary>
    public static double LeastBits(ModelShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        var bytes = FixedBytes(shape) + Enumerable.Range(1, shape.Layers + 1)
            .SelectMany(unit => ManifestLayout.Sites(shape, unit).Select(site => MatrixSurvey.Candidates.Min(form => ManifestLayout.Form(unit, site, form, 0, null).Bytes)))
            .Sum();
        return Math.Ceiling(800.0 * bytes / ManifestLayout.ParametersPerToken(shape)) / 100;
    }

    private static PlannedMatrix[]? Solve(PlannedMatrix[][] options, long budget)
    {
        var choices = options.Select(forms => forms.Select(form => new MatrixOption(form.Form.Bytes, form.Loss)).ToArray()).ToArray();
        return BudgetAllocator.Choose(choices, budget) is { } chosen ? [.. options.Select((forms, index) => forms[chosen[index]])] : null;
    }

    /// <summary>Gives places a branch where all others, with what it leaves them, lose less by that than they did.</summary>
    private static PlannedMatrix[] WithBranches(ModelSurvey survey, PlannedMatrix[][] options, PlannedMatrix[] planned, long budget)
    {
        var current = ((PlannedMatrix[][])options.Clone(), planned);
        foreach (var branch in survey.Branches)
        {
            var trial = ((PlannedMatrix[][])current.Item1.Clone(), (PlannedMatrix[]?)null);
            PlannedMatrix? owner = null;
            var member = 0;
            for (var index = 0; index < survey.Matrices.Length; index++)
            {
                var matrix = survey.Matrices[index];
                if (matrix.Unit != branch.Unit || matrix.Site.Input != branch.Input)
                {
                    continue;
                }

                var reference = matrix.Forms.First(form => form.Form == MatrixSurvey.ReferenceForm);
                var form = ManifestLayout.Form(matrix.Unit, matrix.Site, reference.Form, branch.Rank, BranchSurvey.FactorForm, owner?.Form.Name);
                var withBranch = new PlannedMatrix(form, matrix.Loss(reference.Error) * branch.Shares[member++]);
                owner ??= withBranch;
                trial.Item1[index] = [withBranch];
            }

            trial.Item2 = Solve(trial.Item1, budget);
            if (trial.Item2 is { } better && better.Sum(matrix => matrix.Loss) < current.planned.Sum(matrix => matrix.Loss))
            {
                current = (trial.Item1, better);
            }
        }

        return current.planned;
    }

    /// <summary>The tables of the embedding, which have one form.</summary>
    private static IEnumerable<MatrixForm> Tables(ModelShape shape) =>
        ManifestLayout.Sites(shape, 0).Select(table => ManifestLayout.Form(0, table, new GroupForm(8, ManifestLayout.EmbeddingGroup), 0, null));

    /// <summary>Bytes that a token reads besides matrices of layers and head: a row of each table, norms and biases.</summary>
    private static long FixedBytes(ModelShape shape)
    {
        var vectors = Enumerable.Range(0, shape.Units).Sum(unit => ManifestLayout
            .Tensors(shape, unit, [.. ManifestLayout.Sites(shape, unit).Select(site => ManifestLayout.Form(unit, site, new GroupForm(8, 32), 0, null))])
            .Where(tensor => tensor.Type == "F32").Sum(tensor => tensor.Bytes));
        return Tables(shape).Sum(table => table.Bytes / table.Outputs) + vectors;
    }
}
