using System.Globalization;
using EFedLLM.Actors.Trust.Figures;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.Output;

/// <summary>The figures of trust, as people read them.</summary>
internal static class TrustTables
{
    /// <summary>The figures as they are printed.</summary>
    public static TrustFiguresFacts Facts(TrustFigures figures) => new(
        [.. figures.FalseExclusions.Select(odds => new HonestLostRow(Word(odds.Fault), odds.FaultRate, odds.Audits, odds.ByScore, odds.ByCount))],
        [.. figures.Exposures.Select(Row)],
        [.. figures.Grid.Select(Row)],
        figures.LossPerGain,
        figures.LyingBorne);

    /// <summary>Prints them.</summary>
    public static void Print(TrustFiguresFacts facts)
    {
        Title("An honest device that fails a check by chance is excluded");
        var lost = Tables.Create("failure", ">each check", ">checks", ">by the statistic", ">by the count, all within its window");
        foreach (var row in facts.HonestLost)
        {
            lost.Row(row.Fault, Small(row.FaultRate), Whole(row.Audits), Small(row.ByScore), Small(row.ByCount));
        }

        lost.Print();
        Title("A device that lies delivers, until it is excluded");
        Print(facts.Liars);
        Title("The same with a full standing, for how much is wrong against how much is checked");
        Print(facts.Grid);
        Console.Out.WriteLine();
        Console.Out.WriteLine(Text($"Lying with a full standing costs {facts.LossPerGain:0.0} times what it gains."));
        Console.Out.WriteLine(facts.LyingBorne < 0
            ? "Lying while nothing is held against one pays: what is checked and what a first failure takes are too little."
            : Text($"Even who lies only while nothing is held against him gains nothing, up to {facts.LyingBorne * 100:0.#} % of verifiers that cover up."));
    }

    private static void Print(IReadOnlyList<LiarRow> rows)
    {
        var table = Tables.Create("standing", ">checked", ">wrong", ">tokens, mean", ">wrong ones", ">median", ">95 %", ">excluded");
        foreach (var row in rows)
        {
            table.Row(
                row.Standing, Percent(row.Rate), Percent(row.CheatRate), Whole(row.MeanTokens), Whole(row.MeanWrongTokens), Whole(row.MedianTokens), Whole(row.P95Tokens),
                Percent(row.ExcludedShare));
        }

        table.Print();
    }

    private static void Title(string text)
    {
        Console.Out.WriteLine();
        Console.Out.WriteLine(text);
    }

    private static LiarRow Row(Exposure exposure) => new(
        Word(exposure.Tier), exposure.Rate, exposure.CheatRate, exposure.MeanTokens, exposure.MeanWrongTokens, exposure.MedianTokens, exposure.P95Tokens, exposure.ExcludedShare);

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Small(double value) => value == 0 ? "0" : value.ToString("0.0E0", CultureInfo.InvariantCulture);

    private static string Whole(double value) => Text($"{value:#,0}");

    private static string Percent(double value) => Text($"{value * 100:0.##} %");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
