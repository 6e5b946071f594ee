using System.Globalization;
using EFedLLM.Node.Api;
using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>A cluster's facts as tables.</summary>
internal static class ClusterTables
{
    /// <summary>Everything.</summary>
    public static void Show(ClusterFacts facts)
    {
        Heading("members");
        Members(facts);
        Heading("devices");
        Shards(facts);
        Heading("models");
        Models(facts);
    }

    /// <summary>The nodes.</summary>
    public static void Members(ClusterFacts facts)
    {
        var table = Tables.Create("address", "roles", "status", "version", "");
        foreach (var member in facts.Members)
        {
            table.Row(
                Address(member.Address),
                string.Join(", ", member.Roles),
                member.Reachable ? member.Status : $"{member.Status}, unreachable",
                member.Version,
                member.Address == facts.Leader ? "leader" : "");
        }

        table.Print();
        Console.Out.WriteLine($"  Count: {Say.Count(facts.Members.Count, "node")}");
    }

    /// <summary>The devices with what they hold, whose they are where that is known of any, and how far they are trusted where any was checked.</summary>
    public static void Shards(ClusterFacts facts)
    {
        var isChecked = facts.Devices.Any(device => device.Standing is not null);
        var isOwned = facts.Devices.Any(device => device.Owner is not null);
        var table = Tables.Create(["device", "name", .. isOwned ? ["owner"] : Array.Empty<string>(), "address", "holds", ">weights", ">memory", ">bits", ">rank", .. isChecked ? ["standing", ">checks passed"] : Array.Empty<string>()]);
        foreach (var device in facts.Devices)
        {
            foreach (var fetch in device.Fetching ?? [])
            {
                Row(
                    device,
                    device.Shards.Count == 0 && fetch == device.Fetching![0],
                    AnswerLines.Short(device.Id),
                    device.Name,
                    Address(device.Address),
                    $"fetching {(facts.Models.Count > 1 ? $"{fetch.Model}: " : "")}{fetch.Units}, {Percent(fetch)}",
                    Say.Bytes(fetch.TotalBytes),
                    Say.Bytes(device.MemoryBytes),
                    "",
                    "");
            }

            for (var index = 0; index < Math.Max(device.Fetching is null ? 1 : 0, device.Shards.Count); index++)
            {
                var first = index == 0;
                var shard = index < device.Shards.Count ? device.Shards[index] : null;
                Row(
                    device,
                    first,
                    first ? AnswerLines.Short(device.Id) : "",
                    first ? device.Name + (device.Leaving ? " (leaving)" : "") : "",
                    first ? Address(device.Address) : "",
                    Holds(shard, device, facts),
                    shard is null ? "" : Say.Bytes(shard.WeightBytes),
                    first ? Say.Bytes(device.MemoryBytes) : "",
                    Bits(shard?.Bits),
                    Rank(shard));
            }
        }

        table.Print();

        void Row(DeviceFacts device, bool first, params string[] cells)
        {
            string[] owner = isOwned ? [cells[0].Length > 0 ? device.Owner ?? "-" : ""] : [];
            var row = cells[..2].Concat(owner).Concat(cells[2..]).Select(cell => new Text(cell));
            table.Row(!isChecked ? row
                : first ? row.Append(Tables.Standing(device.Standing, device.ExcludedAs, device.ExcludedUntil)).Append(new Text(device.ChecksPassed?.ToString("#,0", CultureInfo.InvariantCulture) ?? "-"))
                : row.Append(Text.Empty).Append(Text.Empty));
        }
    }

    /// <summary>The models.</summary>
    public static void Models(ClusterFacts facts)
    {
        var table = Tables.Create("model", "id", ">layers", ">weights", ">bits", ">context", "state");
        foreach (var model in facts.Models)
        {
            table.Row(
                model.Name,
                AnswerLines.Short(model.Id),
                model.Layers.ToString(CultureInfo.InvariantCulture),
                Say.Bytes(model.WeightBytes),
                Bits(model.BitsPerWeight),
                model.ContextLength.ToString(CultureInfo.InvariantCulture),
                model.Ready ? "ready" : model.Problem ?? "not ready");
        }

        table.Print();
    }

    /// <summary>An address without what all addresses of the cluster share: <c>127.0.0.1:4053</c>.</summary>
    public static string Address(string address)
    {
        var at = address.IndexOf('@', StringComparison.Ordinal);
        return at < 0 ? address : address[(at + 1)..];
    }

    /// <summary>Bits as a table shows them.</summary>
    public static string Bits(double? bits) => bits?.ToString("0.00", CultureInfo.InvariantCulture) ?? "";

    /// <summary>How much of a range's files is there: <c>42 %</c>.</summary>
    public static string Percent(FetchFacts fetch) =>
        fetch.TotalBytes == 0 ? "0 %" : string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(100.0 * fetch.DoneBytes / fetch.TotalBytes):0} %");

    /// <summary>What a range reads from disk for every step, as a table says it behind the range; nothing where all of it is in memory.</summary>
    public static string Streams(ShardFacts shard) => shard.StreamedBytes == 0 ? "" : $", streams {Say.Bytes(shard.StreamedBytes)} of {Say.Bytes(shard.WeightBytes)}";

    private static string Rank(ShardFacts? shard) => shard switch
    {
        null => "",
        { HighestRank: 0 } => "-",
        { LowestRank: var low, HighestRank: var high } when low == high => low.ToString(CultureInfo.InvariantCulture),
        _ => string.Create(CultureInfo.InvariantCulture, $"{shard.LowestRank}-{shard.HighestRank}"),
    };

    private static string Holds(ShardFacts? shard, DeviceFacts device, ClusterFacts facts) =>
        shard is null ? device.Standing == "excluded" ? "nothing any more" : "nothing yet" : (facts.Models.Count > 1 ? $"{shard.Model}: {shard.Units}" : shard.Units) + Streams(shard);

    private static void Heading(string text)
    {
        Console.Out.WriteLine();
        Screen.Out.Write(new Text($"{text}\n", new Style(decoration: Decoration.Bold)));
    }
}
