using System.Globalization;
using EFedLLM.Node.Bench;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Output;

/// <summary>What guessing ahead gains, for people and for spreadsheets.</summary>
internal static class DraftTables
{
    private static readonly string[] Headings = ["prompt", "devices", "added per hop", "tokens", "answers", "off, tokens/s", "on, tokens/s", "ratio", "spread", "guessed", "right", "same answer"];

    /// <summary>A table with what was measured above it.</summary>
    public static void Table(FactoredModel model, IReadOnlyList<DraftSample> samples)
    {
        Console.Out.WriteLine($"{model.Manifest.Name}: {Say.Count(model.Shape.Layers, "layer")}, medians of answers with and without guesses in turn");
        var table = Tables.Create([.. Headings.Select((heading, column) => column == 0 ? heading : $">{heading}")]);
        foreach (var sample in samples)
        {
            table.Row([.. Cells(sample)]);
        }

        table.Print();
    }

    /// <summary>Comma-separated values, numbers without units.</summary>
    public static void Csv(IReadOnlyList<DraftSample> samples)
    {
        Console.Out.WriteLine("prompt,devices,hopDelayMilliseconds,tokens,answers,offTokensPerSecond,onTokensPerSecond,ratio,deviation,drafted,accepted,identical");
        foreach (var sample in samples)
        {
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{sample.Prompt},{sample.Devices},{sample.HopDelayMilliseconds:0.###},{sample.Tokens},{sample.Answers},{sample.OffTokensPerSecond:0.###},{sample.OnTokensPerSecond:0.###},{sample.Ratio:0.####},{sample.Deviation:0.####},{sample.Drafted},{sample.Accepted},{(sample.Identical ? "true" : "false")}"));
        }
    }

    /// <summary>A Markdown table.</summary>
    public static void Markdown(IReadOnlyList<DraftSample> samples)
    {
        Console.Out.WriteLine($"| {string.Join(" | ", Headings)} |");
        Console.Out.WriteLine($"|{string.Concat(Headings.Select((_, column) => column == 0 ? " --- |" : " ---: |"))}");
        foreach (var sample in samples)
        {
            Console.Out.WriteLine($"| {string.Join(" | ", Cells(sample))} |");
        }
    }

    private static IEnumerable<string> Cells(DraftSample sample) =>
    [
        sample.Prompt,
        sample.Devices.ToString(CultureInfo.InvariantCulture),
        Say.Milliseconds(sample.HopDelayMilliseconds),
        sample.Tokens.ToString(CultureInfo.InvariantCulture),
        sample.Answers.ToString(CultureInfo.InvariantCulture),
        sample.OffTokensPerSecond.ToString("0.0", CultureInfo.InvariantCulture),
        sample.OnTokensPerSecond.ToString("0.0", CultureInfo.InvariantCulture),
        sample.Ratio.ToString("0.00 x", CultureInfo.InvariantCulture),
        sample.Deviation.ToString("±0 %", CultureInfo.InvariantCulture),
        sample.Drafted.ToString(CultureInfo.InvariantCulture),
        sample.Accepted.ToString(CultureInfo.InvariantCulture),
        sample.Identical ? "yes" : "no",
    ];
}
