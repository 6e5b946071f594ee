using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EFedLLM.Compression.Allocation;
using EFedLLM.Compression.Calibration;
using EFedLLM.Compression.Factorization;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Compression;

/// <summary>
/// Makes a factored model of a checkpoint by <see cref="CompressionProfile.Calibrated"/>: surveys the model, gives out
/// bits and ranks, and makes the units one after the other. What is done is kept beside the target until all is done.
/// </summary>
internal sealed class CalibratedCompressor
{
    /// <summary>Changes when the same input and settings give other bytes than before.</summary>
    private const int MethodVersion = 7;

    /// <summary>Up to so many weights a place is small: trying branches there takes no time worth saving.</summary>
    private const long SmallPlace = 1 << 20;

    /// <summary>Below so many bits per weight branches are tried in large matrices too: above, a bit more takes away three quarters of the error of a base, for less than a branch of any use costs.</summary>
    private const double BranchBits = 5.25;

    private readonly Checkpoint _source;
    private readonly CompressionSettings _settings;
    private readonly CalibrationContext _context;
    private readonly WorkMeter _meter;
    private readonly string _text;

    private CalibratedCompressor(Checkpoint source, CompressionSettings settings, IProgress<CompressionProgress>? progress, CancellationToken cancellation)
    {
        (_source, _settings) = (source, settings);
        _text = settings.CalibrationText ?? CalibrationText.BuiltIn;
        var tokenizer = ModelTokenizer.Load(source.Folder);
        var tokens = CalibrationTokens.Take(tokenizer.Encode(_text, addSpecial: false), StartTokenOf(settings, source.Shape), source.Shape);
        string[] others = _text == CalibrationText.BuiltIn ? [CalibrationText.Varied] : [CalibrationText.Varied, CalibrationText.BuiltIn];
        tokens = tokens.Mixed([.. others.Select(text => tokenizer.Encode(text, addSpecial: false))]);
        _context = new CalibrationContext(source, tokens, settings.Threads, new StageClock(), cancellation);
        _meter = new WorkMeter(source.Shape, progress);
    }

    private ModelShape Shape => _source.Shape;

    /// <summary>Surveys a model and gives out bits and ranks; nothing is written.</summary>
    public static BitPlan Plan(Checkpoint source, CompressionSettings settings, IProgress<CompressionProgress>? progress, CancellationToken cancellation)
    {
        var run = new CalibratedCompressor(source, settings, progress, cancellation);
        return run.Choose(run.Survey(null), (_, _) => throw new InvalidOperationException("Nothing is measured for a plan."));
    }

    /// <summary>Makes the model.</summary>
    public static CompressionResult Run(
        Checkpoint source, string folder, CompressionSettings settings, IProgress<CompressionProgress>? progress, CancellationToken cancellation)
    {
        var target = TargetFolder.Normalize(folder);
        var run = new CalibratedCompressor(source, settings, progress, cancellation);
        TargetFolder.Check(target, run.Outline([]), formsKnown: false);
        using var resume = ResumeFolder.Open(target, run.Key());
        var survey = run.Survey(resume);
        var made = new Dictionary<string, Made>(StringComparer.Ordinal);
        var plan = run.Choose(survey, (trial, reference) => Math.Exp(Make(trial).Loss!.Value - reference) - 1);
        var units = Make(plan);
        cancellation.ThrowIfCancellationRequested();
        using var partial = PartialFolder.Create(target);
        foreach (var file in units.Files)
        {
            File.Move(Path.Combine(units.Folder, file.Name), Path.Combine(partial.Path, file.Name));
        }

        var companions = Companions.Copy(source.Folder, partial.Path);
        var manifest = Compressor.Finish(run.Outline(plan.Forms) with { Quality = run.Quality(units.Loss, survey.HeldOutLoss) }, units.Files, companions);
        var result = TargetFolder.Commit(target, partial, manifest);
        resume.Complete();
        return result with { Plan = plan, Times = run._context.Clock.Times };

        Made Make(BitPlan of)
        {
            var key = HashOf(string.Join('\n', of.Forms));
            return made.TryGetValue(key, out var there) ? there : made[key] = run.MakeUnits(of, resume.PlanFolder(key));
        }
    }

    private static int StartTokenOf(CompressionSettings settings, ModelShape shape) =>
        settings.StartToken ?? shape.BeginToken ?? (shape.EndTokens is [var end, ..] ? end : 0);

    private static string HashOf(string text)
    {
        const int Digits = 16;
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..Digits];
    }

    private string Key() => HashOf(string.Create(
        CultureInfo.InvariantCulture,
        $"{MethodVersion} {ModelManifest.CurrentVersion}\n{_source.Id}\n{CalibrationText.HashOf(_text)} {_context.Tokens.StartToken}\n{LinearAlgebra.Current.Name}\n{_settings.LowRank} {TriesLargeBranches}"));

    /// <summary>A target that is not a number of bits may come out at any.</summary>
    private bool TriesLargeBranches => _settings.MaxLoss is not null || _settings.TargetSize is not null || _settings.TargetBits < BranchBits;

    private ModelManifest Outline(ImmutableArray<MatrixForm> forms) =>
        Compressor.Outline(Shape, _settings.Name ?? Compressor.NameOf(_source.Folder), _settings.ProfileName, forms) with
        {
            Calibration = new CalibrationNote(CalibrationText.HashOf(_text), _context.Tokens.Count),
        };

    private ModelSurvey Survey(ResumeFolder? resume)
    {
        _meter.BeginPass();
        if (resume?.ReadSurvey() is { } numbers)
        {
            for (var unit = 0; unit < Shape.Units; unit++)
            {
                _meter.UnitDone(unit, "measured before");
            }

            return SurveyNumbers.Read(Shape, numbers);
        }

        var survey = new SurveyPass(_context, weights => _settings.LowRank && (weights <= SmallPlace || TriesLargeBranches)).Run(unit => _meter.UnitDone(unit, "measured"));
        resume?.WriteSurvey(SurveyNumbers.Write(survey));
        return survey;
    }

    /// <summary>The plan for the target of the settings.</summary>
    /// <param name="survey">What was measured.</param>
    /// <param name="measure">Makes a model by a plan and says how much more perplexity it has on the held-out text than the uncompressed model, whose loss it is given: 0.01 is 1 %.</param>
    private BitPlan Choose(ModelSurvey survey, Func<BitPlan, double, double> measure)
    {
        if (_settings.MaxLoss is { } most)
        {
            return survey.HeldOutLoss is { } reference
                ? LossSearch.Run(bits => BitPlan.Of(Shape, survey, bits), BitPlan.LeastBits(Shape), most, plan => measure(plan, reference))
                : throw new InvalidDataException("The calibration text is too short to hold a part of it out, on which a loss could be measured. Name a longer text, or target bits or a size.");
        }

        return _context.Clock.Run(Stage.Allocation, () => _settings.TargetSize is { } size ? OfSize(survey, size) : BitPlan.Of(Shape, survey, _settings.TargetBits));
    }

    /// <summary>The plan whose files are as long as a size allows.</summary>
    private BitPlan OfSize(ModelSurvey survey, long size)
    {
        var weights = ManifestLayout.ParametersPerToken(Shape);
        var smallest = BitPlan.Of(Shape, survey, BitPlan.LeastBits(Shape));
        var least = FileSizes.Total(Outline(smallest.Forms));
        if (least > size)
        {
            throw new InvalidDataException($"A size of {size} bytes cannot be met: the nearest is {least}, with every matrix in its smallest form.");
        }

        // Headers grow a little with what they describe, so that the first guess may be some bytes too long.
        for (var bits = smallest.BitsPerWeight + 8.0 * (size - least) / weights; bits > smallest.BitsPerWeight;)
        {
            var plan = BitPlan.Of(Shape, survey, bits);
            var excess = FileSizes.Total(Outline(plan.Forms)) - size;
            if (excess <= 0)
            {
                return plan;
            }

            bits = plan.BitsPerWeight - 8.0 * excess / weights;
        }

        return smallest;
    }

    /// <summary>Makes the units that are not there yet.</summary>
    private Made MakeUnits(BitPlan plan, string folder)
    {
        _meter.BeginPass();
        var (outline, pass) = (Outline(plan.Forms), new RoundingPass(_context, plan.Forms));
        var files = new List<WeightFile>(ResumeFolder.Done(folder, Shape));
        for (; files.Count > 0; files.RemoveAt(files.Count - 1))
        {
            if (ResumeFolder.Streams(folder, files.Count - 1, pass.StateLengths) is [var calibration, var heldOut])
            {
                pass.Resume(calibration, heldOut);
                break;
            }
        }

        for (var unit = 0; unit < Shape.Units; unit++)
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            if (unit < files.Count)
            {
                _meter.UnitDone(unit, "compressed before");
                continue;
            }

            var parts = pass.Next(unit);
            _context.Clock.Run(Stage.Writing, () =>
            {
                File.Delete(Path.Combine(folder, ManifestLayout.FileName(unit, Shape.Layers)));
                files.Add(UnitFile.Of(_source, outline, unit, parts).Write(folder, unit, ManifestLayout.FileName(unit, Shape.Layers), outline.Tensors(unit)));
                if (unit <= Shape.Layers)
                {
                    ResumeFolder.Finish(folder, files[unit], pass.State.Calibration, pass.State.HeldOut);
                }
            });
            _meter.UnitDone(unit, "compressed");
        }

        return new Made(folder, [.. files], pass.HeldOutLoss);
    }

    private QualityNote? Quality(double? loss, double? reference) => loss is { } own && reference is { } other
        ? new QualityNote(CalibrationText.HashOf(_text), (long)_context.Tokens.HeldOut.Length * _context.Tokens.Length, Rounded(Math.Exp(own)), Rounded(Math.Exp(other)))
        : null;

    /// <summary>Six digits: the last bits of an exponential differ between systems, and would make another model of the same weights.</summary>
    private static double Rounded(double value) => double.Parse(value.ToString("G6", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private sealed record Made(string Folder, ImmutableArray<WeightFile> Files, double? Loss);
}
