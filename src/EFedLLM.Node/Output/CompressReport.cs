using System.Globalization;
using EFedLLM.Compression;
using EFedLLM.Compression.Allocation;
using EFedLLM.Node.Api;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Output;

/// <summary>What a compression did, or would do, for people and for scripts.</summary>
internal static class CompressReport
{
    /// <summary>The result as JSON gives it.</summary>
    public static CompressResult Facts(CompressionResult result, string algebra)
    {
        var manifest = result.Manifest;
        var facts = new CompressResult(result.Folder, result.Id.Value, manifest.TotalBytes, manifest.Profile, manifest.BitsPerWeight, algebra)
        {
            Perplexity = manifest.Quality?.Perplexity,
            ReferencePerplexity = manifest.Quality?.ReferencePerplexity,
            Stages = result.Times?.ByName.ToDictionary(stage => stage.Stage, stage => Math.Round(stage.Time.TotalSeconds, 3)),
        };
        return result.Plan is { } plan ? With(facts, plan) : facts;
    }

    /// <summary>A plan as JSON gives it.</summary>
    public static CompressResult Facts(BitPlan plan, string profile, string algebra) => With(new(null, null, null, profile, plan.BitsPerWeight, algebra), plan);

    /// <summary>Prints a result.</summary>
    public static void Print(CompressionResult result)
    {
        var manifest = result.Manifest;
        Say($"{manifest.Name}, {manifest.Profile}: {Output.Say.Bytes(manifest.TotalBytes)}, {ClusterTables.Bits(manifest.BitsPerWeight)} bits per weight all-in, {manifest.BitsPerWeight / 16:P0} of the bytes that 16 bits would read per token");
        if (manifest.Quality is { } quality)
        {
            Say($"perplexity {quality.Perplexity} instead of {quality.ReferencePerplexity} ({quality.Perplexity / quality.ReferencePerplexity - 1:+0.00%;-0.00%}) on {Output.Say.Count(quality.Tokens, "token")} held out of the calibration text");
        }

        if (result.Plan is { } plan)
        {
            Branches(plan);
        }

        if (result.Times is { } times)
        {
            Say($"time: {string.Join(", ", times.ByName.Select(stage => $"{stage.Stage} {Output.Say.Milliseconds(stage.Time.TotalMilliseconds)}"))}");
        }

        Say($"model id {result.Id.Value}");
        Say($"{(result.AlreadyThere ? "was there already: " : "")}{result.Folder}");
    }

    /// <summary>Prints a plan, a row for each matrix.</summary>
    public static void Print(BitPlan plan, ModelShape shape)
    {
        var table = Tables.Create("unit", "matrix", ">bits", ">group", ">rank", ">bytes", ">predicted loss");
        foreach (var (form, loss) in plan.Matrices)
        {
            table.Row(
                LayerRangeName(form.Unit, shape),
                form.Name,
                Number(form.Base?.Bits),
                Number(form.Base?.Group),
                Number(form.Rank),
                Output.Say.Bytes(form.Bytes),
                loss.ToString("0.000000", CultureInfo.InvariantCulture));
        }

        table.Print();
        Say($"{ClusterTables.Bits(plan.BitsPerWeight)} bits per weight all-in, predicted loss {plan.Loss:0.00000} nats per token");
        Branches(plan);
    }

    private static void Branches(BitPlan plan)
    {
        var used = plan.Matrices.Count(matrix => matrix.Form.Rank > 0);
        if (used > 0)
        {
            Say($"low-rank branches: in {used} of {plan.Matrices.Length} matrices, after {Output.Say.Count(plan.BranchesTried, "trial")}");
        }
        else if (plan.BranchesTried > 0)
        {
            Say($"low-rank branches: rank 0 everywhere; none of {Output.Say.Count(plan.BranchesTried, "trial")} saved what its bytes save as bits");
        }
    }

    private static CompressResult With(CompressResult facts, BitPlan plan) => facts with
    {
        PredictedLoss = plan.Loss,
        BranchesTried = plan.BranchesTried,
        Branches = plan.Matrices.Count(matrix => matrix.Form.Rank > 0),
        Matrices = [.. plan.Matrices.Select(matrix => new PlannedMatrixFacts(
            matrix.Form.Unit, matrix.Form.Name, matrix.Form.Base?.Bits ?? 0, matrix.Form.Base?.Group ?? 0, matrix.Form.Rank, matrix.Form.Bytes, matrix.Loss))],
    };

    private static string LayerRangeName(int unit, ModelShape shape) => new LayerRange(unit, unit + 1).Describe(shape.Layers);

    private static string Number(int? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";

    private static void Say(FormattableString line) => Console.Out.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
