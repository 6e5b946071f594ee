using System.Collections.Immutable;
using System.Globalization;
using EFedLLM.Compression.Allocation;
using EFedLLM.Compression.Calibration;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Compression;

/// <summary>Makes a factored model of a checkpoint by <see cref="CompressionProfile.Calibrated"/>.</summary>
internal static class CalibratedCompressor
{
    public static CompressionResult Run(
        Checkpoint source, string folder, CompressionSettings settings, IProgress<CompressionProgress>? progress, CancellationToken cancellation)
    {
        var shape = source.Shape;
        var text = settings.CalibrationText ?? CalibrationText.BuiltIn;
        var tokens = CalibrationTokens.Take(ModelTokenizer.Load(source.Folder).Encode(text, addSpecial: false), StartTokenOf(settings, shape), shape);
        var target = TargetFolder.Normalize(folder);
        var clock = new StageClock();
        var context = new CalibrationContext(source, tokens, settings.Threads, clock, cancellation);
        var survey = new SurveyPass(context).Run(_ => { });
        var plan = clock.Run(Stage.Allocation, () => BitPlan.Of(shape, survey, settings.TargetBits));
        foreach (var m in plan.Matrices)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{m.Form.Unit} {m.Form.Name} {m.Form.Base!.Bits}/{m.Form.Base.Group} {m.Loss:0.000000}"));
        }

        var forms = Environment.GetEnvironmentVariable("EXP8") is null ? plan.Forms : plan.Forms.Select(form => ManifestLayout.Form(form.Unit, ManifestLayout.Sites(shape, form.Unit).First(site => site.Name == form.Name), form.Base! with { Bits = 8 }, 0, null)).ToImmutableArray();
        var manifest = Compressor.Outline(shape, settings.Name ?? Compressor.NameOf(source.Folder), settings.ProfileName, forms);
        using var partial = PartialFolder.Create(target);
        var files = ImmutableArray.CreateBuilder<WeightFile>();
        var pass = new RoundingPass(context, plan.Forms);
        for (var unit = 0; unit < shape.Units; unit++)
        {
            cancellation.ThrowIfCancellationRequested();
            var parts = pass.Next(unit);
            if (Environment.GetEnvironmentVariable("EXP8") is not null)
            {
                parts = [.. parts.Select(p => p with { Base = p.Base! with { Bits = 8 } })];
            }

            files.Add(clock.Run(Stage.Writing, () => UnitFile.Of(source, manifest, unit, parts)
                .Write(partial.Path, unit, ManifestLayout.FileName(unit, shape.Layers), manifest.Tensors(unit))));
        }

        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"bits {plan.BitsPerWeight:0.000} predicted {plan.Loss:0.00000} held out {survey.HeldOutLoss:0.00000} -> {pass.HeldOutLoss:0.00000}"));
        foreach (var (stage, time) in clock.Times.ByName)
        {
            Console.Error.WriteLine($"{stage} {time}");
        }

        var companions = Companions.Copy(source.Folder, partial.Path);
        var result = TargetFolder.Commit(target, partial, Compressor.Finish(manifest, files.ToImmutable(), companions));
        return result with { Plan = plan, Times = clock.Times };
    }

    private static int StartTokenOf(CompressionSettings settings, ModelShape shape) =>
        settings.StartToken ?? shape.BeginToken ?? (shape.EndTokens is [var end, ..] ? end : 0);
}
