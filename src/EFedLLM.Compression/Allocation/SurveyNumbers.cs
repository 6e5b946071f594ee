using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Allocation;

/// <summary>A survey as a row of numbers, to be kept in a file: what the numbers mean follows from the model's shape.</summary>
internal static class SurveyNumbers
{
    /// <summary>The numbers of a survey: the held-out loss, then its matrices, then its branches.</summary>
    public static double[] Write(ModelSurvey survey)
    {
        var numbers = new List<double> { survey.HeldOutLoss ?? double.NaN };
        foreach (var matrix in survey.Matrices)
        {
            numbers.Add(matrix.Divergence);
            numbers.AddRange(matrix.Forms.Select(form => form.Error));
        }

        foreach (var branch in survey.Branches)
        {
            numbers.AddRange([branch.Unit, (int)branch.Input, branch.Rank, branch.Shares.Length, .. branch.Shares]);
        }

        return [.. numbers];
    }

    /// <summary>The survey of a model that some numbers describe.</summary>
    /// <exception cref="InvalidDataException">They describe none.</exception>
    public static ModelSurvey Read(ModelShape shape, ReadOnlySpan<double> numbers)
    {
        var reader = new Reader(numbers);
        var loss = reader.Next();
        var matrices = ImmutableArray.CreateBuilder<MatrixSurvey>();
        for (var unit = 1; unit < shape.Units; unit++)
        {
            foreach (var site in ManifestLayout.Sites(shape, unit))
            {
                var divergence = reader.Next();
                var forms = ImmutableArray.CreateBuilder<FormError>();
                foreach (var form in MatrixSurvey.Candidates)
                {
                    forms.Add(new FormError(form, reader.Next()));
                }

                matrices.Add(new MatrixSurvey(unit, site, divergence, forms.ToImmutable()));
            }
        }

        var branches = ImmutableArray.CreateBuilder<BranchSurvey>();
        while (!reader.IsAtEnd)
        {
            var (unit, input, rank, count) = ((int)reader.Next(), (InputSite)(int)reader.Next(), (int)reader.Next(), (int)reader.Next());
            var shares = ImmutableArray.CreateBuilder<double>();
            for (var i = 0; i < count; i++)
            {
                shares.Add(reader.Next());
            }

            branches.Add(new BranchSurvey(unit, input, rank, shares.ToImmutable()));
        }

        return new ModelSurvey(matrices.ToImmutable(), double.IsNaN(loss) ? null : loss, branches.ToImmutable());
    }

    private ref struct Reader(ReadOnlySpan<double> numbers)
    {
        private ReadOnlySpan<double> _left = numbers;

        public readonly bool IsAtEnd => _left.IsEmpty;

        public double Next()
        {
            if (_left.IsEmpty)
            {
                throw new InvalidDataException("The survey ends too early.");
            }

            var next = _left[0];
            _left = _left[1..];
            return next;
        }
    }
}
