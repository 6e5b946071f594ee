using System.Globalization;
using System.Text;
using EFedLLM.Compression.Evaluation;

namespace EFedLLM.Node.Output;

/// <summary>A comparison as one HTML page that needs nothing but itself: a table, what it costs to be smaller, and where the error comes from.</summary>
internal static class EvalPage
{
    /// <summary>The page.</summary>
    public static string Render(EvalReport report)
    {
        var page = new StringBuilder();
        page.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
        page.Append($"<title>{Title(report)}</title>\n<style>\n{EvalPageStyle.Css}\n</style>\n</head>\n<body>\n<main>\n");
        page.Append($"<header>\n<h1>{Title(report)}</h1>\n<p>{Subject(report)}</p>\n</header>\n");
        Table(page, report);
        Gate(page, report);
        var figures = Figures(report).ToList();
        if (figures.Count > 0)
        {
            page.Append("<section class=\"figures\">\n").AppendJoin('\n', figures).Append("\n</section>\n");
        }

        page.Append(Footer(report)).Append("</main>\n</body>\n</html>\n");
        return page.ToString();
    }

    private static string Title(EvalReport report) => report.Rows.Count == 1
        ? Text(report.Reference.Model)
        : $"{Say.Count(report.Rows.Count - 1, "model")} beside {Text(report.Reference.Model)}";

    private static string Subject(EvalReport report) => report.Reference.Scores is { } scores
        ? $"{Say.Count(scores.Tokens, "token")} of <b>{Text(report.Text)}</b> (SHA-256 <code>{Text(report.TextSha256[..12])}…</code>) in chunks of {report.Chunk}."
        : $"{Say.Count(report.Reference.Classification?.Texts ?? 0, "text")} of <b>{Text(report.Text)}</b>.";

    private static void Table(StringBuilder page, EvalReport report)
    {
        var columns = EvalTable.Columns(report);
        page.Append("<section class=\"card scroll\">\n<table>\n<thead><tr>").AppendJoin("", columns.Select(column => $"<th>{Text(column.Heading)}</th>")).Append("</tr></thead>\n<tbody>\n");
        foreach (var row in report.ReferenceFirst)
        {
            var cells = columns.Select((column, index) => $"<td{(index == 0 && !row.IsReference ? $" class=\"s{Colour(report, row)}\"" : "")}>{Text(column.Cell(row))}</td>");
            page.Append(row.IsReference ? "<tr class=\"reference\">" : "<tr>").AppendJoin("", cells).Append("</tr>\n");
        }

        page.Append("</tbody>\n</table>\n</section>\n");
    }

    private static void Gate(StringBuilder page, EvalReport report)
    {
        switch (report.Broken)
        {
            case null:
                return;
            case []:
                page.Append("<section class=\"card gate\"><h2>Every limit is kept.</h2></section>\n");
                return;
            case var broken:
                page.Append($"<section class=\"card gate broken\"><h2>{Say.Count(broken.Count, "limit")} broken</h2>\n<ul>")
                    .AppendJoin("", broken.Select(line => $"<li>{Text(line)}</li>")).Append("</ul></section>\n");
                return;
        }
    }

    private static IEnumerable<string> Figures(EvalReport report)
    {
        var models = report.Rows.Where(row => !row.IsReference && row.Scores is not null).ToList();
        var divergences = Points(models, row => row.Scores!.MeanKl).Where(point => point.Y > 0).ToList();
        if (divergences.Count > 0)
        {
            yield return Figure(
                "Divergence against bytes",
                $"How far the next-token distribution is from that of {Text(report.Reference.Model)}. Lower left is better.",
                SvgPlot.Scatter(divergences, Bytes(divergences), Scale(divergences, "mean KL divergence, nats"), null));
        }

        if (models.Count > 0 && report.Reference.Scores is { } reference)
        {
            var losses = Points(models, row => row.Scores!.MeanNll).ToList();
            var axis = PlotAxis.For([.. losses.Select(point => point.Y), reference.MeanNll], ratio: 3);
            yield return Figure(
                "Loss against bytes",
                "What a token of the text costs. The broken line is the reference.",
                SvgPlot.Scatter(losses, Bytes(losses), new SvgPlot.Scale(axis, "loss, nats per token", Small), ($"{report.Reference.Model} {Small(reference.MeanNll)}", reference.MeanNll)));
        }

        var classified = report.Rows.Where(row => !row.IsReference && row.Classification is not null).ToList();
        if (classified.Count > 0 && report.Reference.Classification is { } exact)
        {
            var accuracies = Points(classified, row => row.Classification!.Accuracy * 100);
            yield return Figure(
                "Accuracy against bytes",
                "Share of the texts that are classified correctly. The broken line is the reference. Upper left is better.",
                SvgPlot.Scatter(
                    accuracies,
                    Bytes(accuracies),
                    new SvgPlot.Scale(PlotAxis.For([.. accuracies.Select(point => point.Y), exact.Accuracy * 100]), "accuracy, per cent", Small),
                    ($"{report.Reference.Model} {Small(exact.Accuracy * 100)}", exact.Accuracy * 100)));
        }

        var layered = report.Rows.Where(row => row.LayerErrors is not null).ToList();
        if (layered.Count > 0)
        {
            var lines = layered.Select(row => (row.Model, row.LayerErrors!, Colour(report, row))).ToList();
            var values = lines.SelectMany(line => line.Item2).Where(value => double.IsFinite(value) && value > 0).ToList();
            var depth = lines.Max(line => line.Item2.Count) - 1;
            yield return Figure(
                "Error by layer",
                "How far the residual stream is from the reference's, relative to its length. 0 is the embedding.",
                SvgPlot.Lines(
                    lines,
                    new SvgPlot.Scale(PlotAxis.Counting(depth), "after layer", value => value.ToString("0", CultureInfo.InvariantCulture)),
                    new SvgPlot.Scale(PlotAxis.For(values), "relative error", Small)));
        }
    }

    private static List<(string Name, double X, double Y, int Colour)> Points(List<ModelEvaluation> models, Func<ModelEvaluation, double> value) =>
        [.. models.Select((row, index) => (row.Model, (double)row.BytesPerToken, value(row), index)).Where(point => double.IsFinite(point.Item3))];

    private static SvgPlot.Scale Bytes(IEnumerable<(string Name, double X, double Y, int Colour)> points) =>
        new(PlotAxis.For([.. points.Select(point => point.X)]), "weight bytes read per token", Say.Bytes);

    private static SvgPlot.Scale Scale(IEnumerable<(string Name, double X, double Y, int Colour)> points, string title) =>
        new(PlotAxis.For([.. points.Select(point => point.Y)]), title, Small);

    /// <summary>The number of a model's colour: its place among those that are not the reference.</summary>
    private static int Colour(EvalReport report, ModelEvaluation row) =>
        report.Rows.Where(other => !other.IsReference).TakeWhile(other => !ReferenceEquals(other, row)).Count() % SvgPlot.Colours;

    private static string Figure(string heading, string caption, string svg) =>
        $"<figure class=\"card\">\n<figcaption><h2>{heading}</h2><p>{caption}</p></figcaption>\n{svg}\n</figure>";

    private static string Footer(EvalReport report)
    {
        var text = new StringBuilder("<footer>\n<p><b>bits/weight</b> and <b>bytes/token</b> are of what computing one token reads: one row of the embedding, every layer and the head, with scales, factors and padding. ");
        text.Append("<b>tokens/s</b> is decoding one token after the other in one process.</p>\n");
        if (report.Reference.Scores is not null)
        {
            text.Append("<p><b>perplexity</b> is exp of the mean loss; <b>KL</b> is the divergence Σ p·ln(p/q) of the model's next-token distribution q from the reference's p, over the whole vocabulary, ");
            text.Append("as mean over the positions and as the value that 99 % of them do not exceed; <b>top-1</b> is the share of positions at which both find the same token most likely.</p>\n");
        }

        return text.Append("</footer>\n").ToString();
    }

    private static string Small(double value) => value switch
    {
        0 => "0",
        < 1e-3 or >= 1e5 => value.ToString("0.###e+0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.####", CultureInfo.InvariantCulture),
    };

    private static string Text(string text) => SvgPlot.Text(text);
}
