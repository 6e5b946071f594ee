using System.Globalization;
using EFedLLM.Node.Bench;

namespace EFedLLM.Node.Output;

/// <summary>This process against a peer, for people and for spreadsheets.</summary>
internal static class VersusTables
{
    /// <summary>A table with what was measured above it.</summary>
    public static void Table(VersusReport report)
    {
        foreach (var line in Heads(report))
        {
            Console.Out.WriteLine(line);
        }

        var table = Tables.Create([.. Headings(report).Select((heading, column) => column == 0 ? heading : $">{heading}")]);
        foreach (var sample in report.Samples)
        {
            table.Row([.. Cells(sample)]);
        }

        table.Print();
    }

    /// <summary>Comma-separated values, numbers without units.</summary>
    public static void Csv(VersusReport report)
    {
        Console.Out.WriteLine("phase,threads,tokens,tokensPerSecond,deviation,peerTokensPerSecond,peerDeviation,ratio,ratioDeviation");
        foreach (var sample in report.Samples)
        {
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{sample.Phase},{sample.Threads},{sample.Tokens},{sample.TokensPerSecond:0.###},{sample.Deviation:0.####},{sample.PeerTokensPerSecond:0.###},{sample.PeerDeviation:0.####},{sample.Ratio:0.####},{sample.RatioDeviation:0.####}"));
        }
    }

    /// <summary>A Markdown table.</summary>
    public static void Markdown(VersusReport report)
    {
        Console.Out.WriteLine($"| {string.Join(" | ", Headings(report))} |");
        Console.Out.WriteLine($"|{string.Concat(Headings(report).Select((_, column) => column == 0 ? " --- |" : " ---: |"))}");
        foreach (var sample in report.Samples)
        {
            Console.Out.WriteLine($"| {string.Join(" | ", Cells(sample))} |");
        }
    }

    private static string[] Headings(VersusReport report) => ["phase", "threads", "tokens", "tokens/s", "deviation", report.Peer, "deviation", "ratio", "spread"];

    private static IEnumerable<string> Heads(VersusReport report)
    {
        yield return $"{report.Model}: {Say.Bytes(report.WeightBytesPerToken)} of weights a token, {ClusterTables.Bits(report.BitsPerWeight)} bits per weight";
        string[] facts = [.. new[] { report.PeerModel, report.PeerModelBytes is { } bytes ? Say.Bytes(bytes) : null, report.PeerBuild }.OfType<string>()];
        yield return $"{report.Peer}: {(facts.Length == 0 ? "says nothing of itself" : string.Join(", ", facts))}";
        yield return $"{Say.Count(report.Repetitions, "turn")} of each, now one first and now the other; medians";
    }

    private static IEnumerable<string> Cells(VersusSample sample) =>
    [
        sample.Phase,
        sample.Threads.ToString(CultureInfo.InvariantCulture),
        sample.Tokens.ToString(CultureInfo.InvariantCulture),
        Rate(sample.TokensPerSecond),
        Share(sample.Deviation),
        Rate(sample.PeerTokensPerSecond),
        Share(sample.PeerDeviation),
        sample.Ratio.ToString("0.00x", CultureInfo.InvariantCulture),
        sample.RatioDeviation.ToString("±0.00", CultureInfo.InvariantCulture),
    ];

    private static string Rate(double tokensPerSecond) => tokensPerSecond.ToString(tokensPerSecond >= 100 ? "0" : "0.0", CultureInfo.InvariantCulture);

    private static string Share(double deviation) => deviation.ToString("±0 %", CultureInfo.InvariantCulture);
}
