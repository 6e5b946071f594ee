using System.Globalization;

namespace EFedLLM.Node.CommandLine;

/// <summary>Reads times as people write them: <c>90s</c>, <c>30m</c>, <c>1h</c>, <c>2d</c>.</summary>
internal static class Lifetime
{
    /// <summary>Reads a time.</summary>
    /// <exception cref="UserErrorException">It is none, or out of bounds.</exception>
    public static TimeSpan Parse(string text, string option, TimeSpan least, TimeSpan most)
    {
        var trimmed = text.Trim().ToLowerInvariant();
        var seconds = trimmed.Length == 0 ? 0 : trimmed[^1] switch
        {
            's' => 1.0,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            _ => 0,
        };
        return seconds > 0
            && double.TryParse(trimmed[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            && value * seconds >= least.TotalSeconds && value * seconds <= most.TotalSeconds
            ? TimeSpan.FromSeconds(value * seconds)
            : throw new UserErrorException($"{option} must be a time from {Say(least)} to {Say(most)}, for example 30m, 1h or 2d; it is \"{text}\".", ExitCodes.Usage);
    }

    private static string Say(TimeSpan time) => time >= TimeSpan.FromDays(1)
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalDays:0}d")
        : string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0}m");
}
