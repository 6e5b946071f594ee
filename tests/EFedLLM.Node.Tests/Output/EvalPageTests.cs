using System.Xml.Linq;
using EFedLLM.Compression.Evaluation;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.Tests.Output;

public class EvalPageTests
{
    private static readonly ModelEvaluation Reference = new("float", 32, 4_000_000)
    {
        IsReference = true,
        Scores = new ModelScores(4096, 0.6143, 1.8484, 0, 0, 1),
        TokensPerSecond = 410,
    };

    [Fact]
    public void A_page_needs_nothing_but_itself_and_is_well_formed()
    {
        var page = Parse(EvalPage.Render(Report(Model("int8", 1e-4, 1.0001), Model("svd-0.4", 6.1, 306))));
        Assert.Equal(3, page.Descendants("svg").Count());
        Assert.DoesNotContain(page.Descendants(), element => element.Name.LocalName is "script" or "link" or "img" or "iframe" or "object");
        Assert.DoesNotContain(page.Descendants().Attributes(), attribute => attribute.Name.LocalName is "src" or "href");
        var style = page.Descendants("style").Single().Value;
        Assert.DoesNotContain("url(", style, StringComparison.Ordinal);
        Assert.DoesNotContain("@import", style, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme: dark", style, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_has_the_reference_first_and_every_number()
    {
        var page = Parse(EvalPage.Render(Report(Model("int8", 0.0123, 1.02))));
        var rows = page.Descendants("tbody").Single().Elements("tr").Select(row => row.Elements("td").Select(cell => cell.Value).ToArray()).ToArray();
        Assert.Equal(["float", "32.00", "4.0 MB", "410", "1.8484", "reference", "", "", ""], rows[0]);
        Assert.Equal(["int8", "8.50", "1.1 MB", "950", "1.8854", "+2.00 %", "0.0123", "0.1230", "98.25 %"], rows[1]);
    }

    [Fact]
    public void Names_cannot_break_out_of_the_page()
    {
        const string Hostile = "<script>alert(\"1\")</script>&'";
        var page = Parse(EvalPage.Render(Report(Model(Hostile, 0.01, 1.01)) with { Text = Hostile, Broken = [$"{Hostile}: no"] }));
        Assert.Empty(page.Descendants("script"));
        Assert.Contains(page.Descendants("td"), cell => cell.Value == Hostile);
        Assert.Contains(page.Descendants("li"), item => item.Value == $"{Hostile}: no");
    }

    [Fact]
    public void A_gate_says_whether_it_is_kept()
    {
        var report = Report(Model("int8", 0.01, 1.01));
        Assert.DoesNotContain("limit", Body(report), StringComparison.Ordinal);
        Assert.Contains("Every limit is kept", Body(report with { Broken = [] }), StringComparison.Ordinal);
        Assert.Contains("1 limit broken", Body(report with { Broken = ["int8: too big."] }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_alone_one_like_the_reference_and_one_that_is_ruined_still_have_a_page()
    {
        Assert.Empty(Parse(EvalPage.Render(Report())).Descendants("svg"));
        var same = Model("same", 0, 1) with { LayerErrors = [0, 0, 0] };
        Assert.Equal(2, Parse(EvalPage.Render(Report(same))).Descendants("svg").Count());
        var ruined = Model("ruined", double.PositiveInfinity, double.PositiveInfinity) with { LayerErrors = [0.1, double.NaN, 3] };
        Assert.Equal(2, Parse(EvalPage.Render(Report(ruined))).Descendants("svg").Count());
    }

    private static ModelEvaluation Model(string name, double kl, double ratio) => new(name, 8.5, 1_062_000)
    {
        Scores = new ModelScores(4096, 0.6143 + Math.Log(ratio), 1.8484 * ratio, kl, kl * 10, 0.9825),
        TokensPerSecond = 950,
        LayerErrors = [0.004, 0.01, 0.02],
    };

    private static EvalReport Report(params ModelEvaluation[] models) => new([.. models, Reference], true, "eval.txt", new string('a', 64), 256);

    private static string Body(EvalReport report) => Parse(EvalPage.Render(report)).Element("html")!.Element("body")!.Value;

    private static XDocument Parse(string page)
    {
        Assert.StartsWith("<!doctype html>\n", page, StringComparison.Ordinal);
        return XDocument.Parse(page[page.IndexOf('\n', StringComparison.Ordinal)..].Replace("xmlns", "x", StringComparison.Ordinal));
    }
}
