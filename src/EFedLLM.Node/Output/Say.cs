using System.Globalization;

namespace EFedLLM.Node.Output;

/// <summary>Numbers as people read them, the same in every culture.</summary>
internal static class Say
{
    private const double Kilo = 1000;

    private static readonly string[] Units = ["B", "kB", "MB", "GB", "TB", "PB"];

    /// <summary>Bytes in decimal units: <c>2.8 MB</c>.</summary>
    public static string Bytes(double bytes)
    {
        var unit = 0;
        while (bytes >= Kilo && unit < Units.Length - 1)
        {
            bytes /= Kilo;
            unit++;
        }

        return unit == 0 || bytes >= 100 ? Text($"{bytes:0} {Units[unit]}") : Text($"{bytes:0.0} {Units[unit]}");
    }

    /// <summary>A duration: <c>0.21 ms</c>, <c>31 ms</c> or <c>1.25 s</c>.</summary>
    public static string Milliseconds(double milliseconds) => milliseconds switch
    {
        < 1 => Text($"{milliseconds:0.00} ms"),
        < 10 => Text($"{milliseconds:0.0} ms"),
        < Kilo => Text($"{milliseconds:0} ms"),
        _ => Text($"{milliseconds / Kilo:0.00} s"),
    };

    /// <summary>Tokens per second.</summary>
    public static string Rate(double tokensPerSecond) => tokensPerSecond >= 100 ? Text($"{tokensPerSecond:0} tokens/s") : Text($"{tokensPerSecond:0.0} tokens/s");

    /// <summary>A count with its noun: <c>1 token</c>, <c>2 tokens</c>.</summary>
    public static string Count(long count, string noun) => count == 1 ? $"1 {noun}" : Text($"{count:#,0} {noun}s");

    /// <summary>A number with at most two decimals.</summary>
    public static string Number(double value) => Text($"{value:0.##}");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
