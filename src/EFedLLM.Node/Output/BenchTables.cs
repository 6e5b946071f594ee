using System.Globalization;
using EFedLLM.Node.Bench;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Output;

/// <summary>Measurements for people and for spreadsheets.</summary>
internal static class BenchTables
{
    private static readonly string[] Headings = ["where", "threads", "phase", "tokens", "tokens/s", "deviation", "bytes/token", "GB/s", "hop p50", "hop p99", "allocated/token", "from disk/token", "resident", "beside weights", "time"];

    /// <summary>A table with what was measured above it.</summary>
    public static void Table(FactoredModel model, IReadOnlyList<BenchSample> samples)
    {
        Console.Out.WriteLine($"{model.Manifest.Name}: {Say.Count(model.Shape.Layers, "layer")}, {Say.Bytes(model.Manifest.TotalBytes)}, {ClusterTables.Bits(model.Manifest.BitsPerWeight)} bits per weight");
        var table = Tables.Create([.. Headings.Select((heading, column) => column is 0 or 2 ? heading : $">{heading}")]);
        foreach (var sample in samples)
        {
            table.Row([.. Cells(sample)]);
        }

        table.Print();
    }

    /// <summary>Comma-separated values, numbers without units.</summary>
    public static void Csv(IReadOnlyList<BenchSample> samples)
    {
        Console.Out.WriteLine("where,threads,devices,phase,tokens,tokensPerSecond,deviation,weightBytesPerToken,gigabytesPerSecond,hopMedianMilliseconds,hopP99Milliseconds,allocatedBytesPerToken,streamedBytesPerToken,residentBytes,besideWeightsBytes,seconds");
        foreach (var sample in samples)
        {
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{sample.Where},{sample.Threads},{sample.Devices},{sample.Phase},{sample.Tokens},{sample.TokensPerSecond:0.###},{sample.Deviation:0.####},{sample.WeightBytesPerToken:0},{sample.GigabytesPerSecond:0.###},{sample.HopMedianMilliseconds:0.####},{sample.HopP99Milliseconds:0.####},{sample.AllocatedBytesPerToken:0},{sample.StreamedBytesPerToken:0},{sample.ResidentBytes},{sample.BesideWeightsBytes},{sample.Seconds:0.###}"));
        }
    }

    /// <summary>A Markdown table.</summary>
    public static void Markdown(IReadOnlyList<BenchSample> samples)
    {
        Console.Out.WriteLine($"| {string.Join(" | ", Headings)} |");
        Console.Out.WriteLine($"|{string.Concat(Enumerable.Repeat(" --- |", Headings.Length))}");
        foreach (var sample in samples)
        {
            Console.Out.WriteLine($"| {string.Join(" | ", Cells(sample))} |");
        }
    }

    private static IEnumerable<string> Cells(BenchSample sample) =>
    [
        sample.Where,
        sample.Threads.ToString(CultureInfo.InvariantCulture),
        sample.Phase,
        sample.Tokens == 0 ? "" : sample.Tokens.ToString(CultureInfo.InvariantCulture),
        sample.Tokens == 0 ? "" : sample.TokensPerSecond.ToString(sample.TokensPerSecond >= 100 ? "0" : "0.0", CultureInfo.InvariantCulture),
        sample.Deviation.ToString("±0 %", CultureInfo.InvariantCulture),
        sample.Tokens == 0 ? "" : Say.Bytes(sample.WeightBytesPerToken),
        sample.Tokens == 0 ? "" : sample.GigabytesPerSecond.ToString("0.00", CultureInfo.InvariantCulture),
        sample.HopMedianMilliseconds is { } median ? Say.Milliseconds(median) : "",
        sample.HopP99Milliseconds is { } tail ? Say.Milliseconds(tail) : "",
        sample.AllocatedBytesPerToken is { } allocated ? Say.Bytes(allocated) : "",
        sample.StreamedBytesPerToken is { } streamed ? Say.Bytes(streamed) : "",
        sample.ResidentBytes is { } resident ? Say.Bytes(resident) : "",
        sample.BesideWeightsBytes is { } beside ? Say.Bytes(beside) : "",
        sample.Seconds is { } seconds ? seconds.ToString("0.00 s", CultureInfo.InvariantCulture) : "",
    ];
}
