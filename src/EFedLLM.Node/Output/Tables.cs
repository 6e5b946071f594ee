using System.Globalization;
using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>Tables as this program prints them: no frame, a dim heading, two spaces between columns.</summary>
internal static class Tables
{
    /// <summary>An empty table. A heading that begins with <c>&gt;</c> is of a column of numbers.</summary>
    public static Table Create(params ReadOnlySpan<string> headings)
    {
        var table = new Table { Border = TableBorder.None, ShowRowSeparators = false };
        foreach (var heading in headings)
        {
            var numbers = heading.StartsWith('>');
            var column = new TableColumn(new Text(numbers ? heading[1..] : heading, new Style(Color.Grey))) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) };
            table.AddColumn(numbers ? column.RightAligned() : column);
        }

        return table;
    }

    /// <summary>Adds a row of plain text.</summary>
    public static void Row(this Table table, params ReadOnlySpan<string> cells)
    {
        var texts = new Text[cells.Length];
        for (var i = 0; i < cells.Length; i++)
        {
            texts[i] = new Text(cells[i]);
        }

        table.AddRow(texts);
    }

    /// <summary>Adds a row of text that may have colours.</summary>
    public static void Row(this Table table, IEnumerable<Text> cells) => table.AddRow(cells);

    /// <summary>A standing as a cell: what needs a look has a colour.</summary>
    /// <param name="standing">In one word; null where nothing was checked.</param>
    /// <param name="excludedAs">What an excluded device is taken for, or null.</param>
    /// <param name="until">When it may come back, or null.</param>
    public static Text Standing(string? standing, string? excludedAs = null, DateTimeOffset? until = null) => standing switch
    {
        null => new Text("-", new Style(Color.Grey)),
        "excluded" => new Text(
            until is { } end ? $"{standing} ({excludedAs}) until {end.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)}" : standing, new Style(Color.Red)),
        "quarantined" => new Text(standing, new Style(Color.Yellow)),
        "full" => new Text(standing, new Style(Color.Green)),
        _ => new Text(standing),
    };

    /// <summary>Prints a table to standard output, indented by two.</summary>
    public static void Print(this Table table)
    {
        Screen.Out.Write(new Padder(table, new Padding(2, 0, 0, 0)));
    }
}
