using System.Globalization;
using EFedLLM.Compression.Evaluation;

namespace EFedLLM.Node.Output;

/// <summary>A comparison as a table for people.</summary>
internal static class EvalTable
{
    /// <summary>Prints what was measured, and how.</summary>
    public static void Print(EvalReport report)
    {
        if (report.Reference.Scores is { } scores)
        {
            Console.Out.WriteLine($"{report.Text}: {Say.Count(scores.Tokens, "token")} in chunks of {report.Chunk}, compared with {report.Reference.Model}");
        }
        else if (report.Reference.Classification is { } classified)
        {
            Console.Out.WriteLine($"{report.Text}: {Say.Count(classified.Texts, "text")}, compared with {report.Reference.Model}");
        }

        var columns = Columns(report);
        var table = Tables.Create([.. columns.Select((column, index) => index == 0 ? column.Heading : $">{column.Heading}")]);
        foreach (var row in report.ReferenceFirst)
        {
            table.Row([.. columns.Select(column => column.Cell(row))]);
        }

        table.Print();
    }

    /// <summary>A Markdown table.</summary>
    public static void Markdown(EvalReport report)
    {
        var columns = Columns(report);
        Console.Out.WriteLine($"| {string.Join(" | ", columns.Select(column => column.Heading))} |");
        Console.Out.WriteLine($"| --- |{string.Concat(Enumerable.Repeat(" ---: |", columns.Count - 1))}");
        foreach (var row in report.ReferenceFirst)
        {
            Console.Out.WriteLine($"| {string.Join(" | ", columns.Select(column => column.Cell(row)))} |");
        }
    }

    /// <summary>Comma-separated values of the models that were asked for, numbers without units.</summary>
    public static void Csv(EvalReport report)
    {
        Console.Out.WriteLine("model,bitsPerWeight,bytesPerToken,tokensPerSecond,tokens,meanNll,perplexity,perplexityChange,meanKl,p99Kl,top1Agreement,texts,accuracy,meanCrossEntropy");
        foreach (var row in report.ToJson())
        {
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{Quoted(row.Model)},{row.BitsPerWeight:0.####},{row.BytesPerToken},{row.TokensPerSecond:0.###},{row.Tokens},{row.MeanNll:R},{row.Perplexity:R},{row.PerplexityChange:R},{row.MeanKl:R},{row.P99Kl:R},{row.Top1Agreement:R},{row.Texts},{row.Accuracy:R},{row.MeanCrossEntropy:R}"));
        }
    }

    /// <summary>The columns that the report has something for.</summary>
    public static IReadOnlyList<(string Heading, Func<ModelEvaluation, string> Cell)> Columns(EvalReport report)
    {
        var columns = new List<(string, Func<ModelEvaluation, string>)>
        {
            ("model", row => row.Model),
            ("bits/weight", row => Number(row.BitsPerWeight, "0.00")),
            ("bytes/token", row => Say.Bytes(row.BytesPerToken)),
        };
        if (report.Rows.Any(row => row.TokensPerSecond is not null))
        {
            columns.Add(("tokens/s", row => Number(row.TokensPerSecond, row.TokensPerSecond >= 100 ? "0" : "0.0")));
        }

        if (report.Rows.Any(row => row.Scores is not null))
        {
            columns.AddRange(
            [
                ("perplexity", row => Number(row.Scores?.Perplexity, row.Scores?.Perplexity >= 1000 ? "0" : "0.0000")),
                ("change", row => Change(row, report.Reference)),
                ("mean KL", row => Divergence(row, row.Scores?.MeanKl)),
                ("p99 KL", row => Divergence(row, row.Scores?.P99Kl)),
                ("top-1", row => row.IsReference ? "" : Number(row.Scores?.Top1Agreement * 100, "0.00") + " %"),
            ]);
        }

        if (report.Rows.Any(row => row.Classification is not null))
        {
            columns.AddRange(
            [
                ("accuracy", row => row.Classification is { } scores ? $"{Number(scores.Accuracy * 100, "0.00")} % ({scores.Correct}/{scores.Texts})" : ""),
                ("cross-entropy", row => Number(row.Classification?.MeanCrossEntropy, "0.0000")),
            ]);
        }

        return columns;
    }

    private static string Change(ModelEvaluation row, ModelEvaluation reference)
    {
        if (row.IsReference)
        {
            return "reference";
        }

        var change = row.Scores!.PerplexityChange(reference.Scores!) * 100;
        return Number(change, Math.Abs(change) >= 100 ? "+0;-0;0" : "+0.00;-0.00;0.00") + " %";
    }

    private static string Divergence(ModelEvaluation row, double? value) => row.IsReference ? "" : value switch
    {
        >= 0.01 or 0 => Number(value, "0.0000"),
        _ => Number(value, "0.0e+0"),
    };

    /// <summary>A field that may have any character (RFC 4180).</summary>
    private static string Quoted(string text) =>
        text.AsSpan().IndexOfAny(",\"\n\r") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string Number(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "";
}
