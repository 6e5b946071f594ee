using System.Globalization;

namespace EFedLLM.Node.CommandLine;

/// <summary>Reads amounts of memory as people write them: <c>4GB</c>, <c>512 MB</c>, <c>1.5GiB</c>, <c>1048576</c>.</summary>
internal static class ByteSize
{
    private const long Most = 1L << 50;

    private static readonly (string Suffix, double Bytes)[] Units =
    [
        ("kib", 1L << 10), ("mib", 1L << 20), ("gib", 1L << 30), ("tib", 1L << 40),
        ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12),
        ("k", 1e3), ("m", 1e6), ("g", 1e9), ("t", 1e12), ("b", 1),
    ];

    /// <summary>Reads an amount.</summary>
    /// <exception cref="UserErrorException">It is no amount of memory, below 1 MB or beyond all machines.</exception>
    public static long Parse(string text, string option)
    {
        var number = text.Trim().ToLowerInvariant();
        var factor = 1.0;
        foreach (var (suffix, bytes) in Units)
        {
            if (number.EndsWith(suffix, StringComparison.Ordinal))
            {
                (number, factor) = (number[..^suffix.Length].TrimEnd(), bytes);
                break;
            }
        }

        return double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            && value * factor is >= 1e6 and <= Most
            ? (long)(value * factor)
            : throw new UserErrorException($"{option} must be an amount of memory from 1MB on, for example 4GB; it is \"{text}\".", ExitCodes.Usage);
    }
}
