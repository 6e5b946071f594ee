using System.Globalization;
using EFedLLM.Node.Api;
using EFedLLM.Node.Supervision;
using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>What a person sees when a cluster has started: what runs where, and what to do with it.</summary>
internal static class UpTables
{
    /// <summary>Prints it to standard error, so that a pipe carries answers only.</summary>
    public static void Print(UpReport report)
    {
        var facts = report.Cluster;
        var console = Screen.Side;
        console.WriteLine();
        foreach (var model in facts.Models)
        {
            console.MarkupLineInterpolated(
                $"[bold]{model.Name}[/] on {Say.Count(facts.Devices.Count, "device")}: {Say.Count(model.Layers, "layer")}, {Say.Bytes(model.WeightBytes)}, {ClusterTables.Bits(model.BitsPerWeight)} bits per weight");
        }

        console.WriteLine();
        console.Write(new Padder(Nodes(report), new Padding(2, 0, 0, 0)));
        console.WriteLine();
        var grid = new Grid().AddColumn(new GridColumn { NoWrap = true, Padding = new Padding(2, 0, 3, 0) }).AddColumn();
        Line("OpenAI base URL", report.OpenAi);
        Line("add a device", report.Join);
        console.Write(grid);
        console.WriteLine();

        void Line(string name, string value) => grid.AddRow(new Text(name, new Style(Color.Grey)), new Text(value));
    }

    private static Table Nodes(UpReport report)
    {
        var table = Tables.Create("node", "address", ">pid", "holds", ">weights", ">memory", ">bits");
        foreach (var node in report.Nodes)
        {
            var device = report.Cluster.Devices.FirstOrDefault(device => device.Id == node.Device);
            table.Row(
                node.Name,
                node.Address,
                node.Pid.ToString(CultureInfo.InvariantCulture),
                device is null ? Roles(report, node) : string.Join("; ", device.Shards.Select(shard => shard.Units + ClusterTables.Streams(shard))),
                device is null ? "" : Say.Bytes(device.Shards.Sum(shard => shard.WeightBytes)),
                device is null ? "" : Say.Bytes(device.MemoryBytes),
                device is { Shards: [var first, ..] } ? ClusterTables.Bits(first.Bits) : "");
        }

        return table;
    }

    private static string Roles(UpReport report, UpNode node) => string.Join(", ",
        report.Cluster.Members.FirstOrDefault(member => ClusterTables.Address(member.Address) == node.Address)?.Roles ?? []);
}
