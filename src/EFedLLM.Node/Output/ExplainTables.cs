using System.Globalization;
using EFedLLM.Node.Bench;

namespace EFedLLM.Node.Output;

/// <summary>Why a model runs as fast as it does here, for people.</summary>
internal static class ExplainTables
{
    private const int NameWidth = 10;

    /// <summary>Prints the machine, what is chosen for it, the model's matrices and what they come to.</summary>
    public static void Print(ExplainFacts facts)
    {
        Console.Out.WriteLine($"{facts.Processor}, {Say.Count(facts.Processors, "processor")}");
        Line("caches", $"{Caches(facts.CacheBytes)}{(facts.CachesAreRead ? "" : " (assumed: neither the system nor the processor says)")}");
        Line("reads", $"{string.Join(", ", facts.Bandwidths.Select(bandwidth => $"{Number(bandwidth.BytesPerSecond / 1e9, "0.0")} GB/s with {Say.Count(bandwidth.Threads, "thread")}"))} (measured now)");
        Line("registers", $"{(facts.DotBits == 0 ? "none" : $"{facts.DotBits} bits")} for integers, {facts.FloatBits} bits for floats");
        foreach (var instruction in facts.Instructions)
        {
            Line($"int{instruction.Bits}", instruction.Instructions);
        }

        Line("tiles", $"{Tile(facts.DecodeTile)} to decode, {Tile(facts.PrefillTile)} to read a prompt");
        Line("windows", "rows whose weights fill half of L2 while all tokens of a step pass over them");
        Line("prefetch", $"the next tile where it has {Kibibytes(facts.NearBytes)} at most (an eighth of L2), else a few lines ahead");
        Line("threads", "share each product in small chunks, spin for a moment between two, then sleep");
        Console.Out.WriteLine();
        Console.Out.WriteLine($"{facts.Model}: {ClusterTables.Bits(facts.BitsPerWeight)} bits per weight; the matrices of a layer, and of the head");
        var table = Tables.Create("matrix", ">outputs", ">inputs", ">bits", ">rank", ">bytes", ">window", ">of weights");
        foreach (var matrix in facts.Matrices)
        {
            table.Row(
                matrix.Name,
                Number(matrix.Outputs, "0"),
                Number(matrix.Inputs, "0"),
                Number(matrix.Bits, "0"),
                Number(matrix.Rank, "0"),
                Say.Bytes(matrix.Bytes),
                $"{Number(matrix.WindowRows, "0")} rows",
                Kibibytes(matrix.WindowBytes));
        }

        table.Print();
        Console.Out.WriteLine();
        Line("a token", $"reads {Ratio(facts.Token)} of weights, and {Say.Bytes(facts.CacheBytesPerPosition)} of keys and values for each position before it");
        Line("a prompt", $"of {Say.Count(facts.PromptTokens, "token")} moves {Ratio(facts.Prompt)} of weights, inputs and results");
        Line("at most", $"{string.Join(", ", facts.Bandwidths.Select(bandwidth => $"{Number(facts.Ceiling(bandwidth), "0.0")} tokens/s with {Say.Count(bandwidth.Threads, "thread")}"))}: what memory gives to any program that decodes these weights");
    }

    private static void Line(string name, string text) => Console.Out.WriteLine($"  {name.PadRight(NameWidth)} {text}");

    private static string Caches(IReadOnlyList<long> bytes) => string.Join(", ", bytes.Select((size, level) => (size, level)).Where(cache => cache.size > 0).Select(cache => $"L{cache.level + 1} {Kibibytes(cache.size)}"));

    private static string Tile(TileFacts tile) => $"{Say.Count(tile.Rows, "row")} x {Say.Count(tile.Tokens, "token")}";

    private static string Ratio(Traffic traffic) => $"{Say.Bytes(traffic.Counted)} ({Number(traffic.Ratio, "0.000")}x the lower bound)";

    /// <summary>Caches have binary sizes: these are the units that everybody knows them by.</summary>
    private static string Kibibytes(long bytes) => bytes >= 1 << 20 ? $"{Number((double)bytes / (1 << 20), "0.#")} MiB" : $"{Number((double)bytes / (1 << 10), "0.#")} KiB";

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
