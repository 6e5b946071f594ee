using System.Globalization;
using EFedLLM.Node.Bench;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Output;

/// <summary>What trust costs, for people and for spreadsheets.</summary>
internal static class TrustBenchTables
{
    private static readonly string[] Headings = ["trust", "devices", "hops", "answers", "off, p50/token", "on, p50/token", "change", "spread", "bytes/token and hop", "recomputed", "compute"];

    /// <summary>A table with what was measured above it.</summary>
    public static void Table(FactoredModel model, IReadOnlyList<TrustSample> samples)
    {
        Console.Out.WriteLine($"{model.Manifest.Name}: {Say.Count(model.Shape.Layers, "layer")}, answers of {Say.Count(samples.Select(sample => sample.Tokens).FirstOrDefault(), "token")}");
        var table = Tables.Create([.. Headings.Select((heading, column) => column == 0 ? heading : $">{heading}")]);
        foreach (var sample in samples)
        {
            table.Row([.. Cells(sample)]);
        }

        table.Print();
    }

    /// <summary>Comma-separated values, numbers without units.</summary>
    public static void Csv(IReadOnlyList<TrustSample> samples)
    {
        Console.Out.WriteLine("what,checkedShare,devices,hops,tokens,answers,offMilliseconds,onMilliseconds,change,deviation,bytesPerTokenAndHop,recomputedShare,computeShare");
        foreach (var sample in samples)
        {
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{sample.What},{sample.CheckedShare:R},{sample.Devices},{sample.Hops},{sample.Tokens},{sample.Answers},{sample.OffMilliseconds:0.####},{sample.OnMilliseconds:0.####},{sample.Change:0.####},{sample.Deviation:0.####},{sample.BytesPerTokenAndHop:0.##},{sample.RecomputedShare:0.####},{sample.ComputeShare:0.####}"));
        }
    }

    /// <summary>A Markdown table.</summary>
    public static void Markdown(IReadOnlyList<TrustSample> samples)
    {
        Console.Out.WriteLine($"| {string.Join(" | ", Headings)} |");
        Console.Out.WriteLine($"|{string.Concat(Headings.Select((_, column) => column == 0 ? " --- |" : " ---: |"))}");
        foreach (var sample in samples)
        {
            Console.Out.WriteLine($"| {string.Join(" | ", Cells(sample))} |");
        }
    }

    private static IEnumerable<string> Cells(TrustSample sample) =>
    [
        sample.What,
        sample.Devices.ToString(CultureInfo.InvariantCulture),
        sample.Hops.ToString(CultureInfo.InvariantCulture),
        sample.Answers.ToString(CultureInfo.InvariantCulture),
        sample.OffMilliseconds.ToString("0.000 ms", CultureInfo.InvariantCulture),
        sample.OnMilliseconds.ToString("0.000 ms", CultureInfo.InvariantCulture),
        sample.Change.ToString("+0.0 %;-0.0 %", CultureInfo.InvariantCulture),
        sample.Deviation.ToString("±0.0 %", CultureInfo.InvariantCulture),
        sample.BytesPerTokenAndHop?.ToString("0.0", CultureInfo.InvariantCulture) ?? "",
        sample.RecomputedShare.ToString("0.0 %", CultureInfo.InvariantCulture),
        sample.ComputeShare.ToString("0.0 %", CultureInfo.InvariantCulture),
    ];
}
