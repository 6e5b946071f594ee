using EFedLLM.Node.Api;
using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>What is printed below an answer: where it was computed and how long that took.</summary>
internal static class AnswerLines
{
    private const int ShortId = 8;

    /// <summary>The route in one line: <c>3f2a9c01 embedding + layers 0-1 → …</c>.</summary>
    public static string Route(IReadOnlyList<RouteHop> route) =>
        string.Join(" → ", route.Select(hop => $"{Short(hop.Device)} {hop.Units ?? $"[{hop.First}, {hop.End})"}"));

    /// <summary>The timing in one line.</summary>
    public static string Timing(AnswerTiming timing)
    {
        var parts = new List<string>
        {
            $"{Say.Count(timing.PromptTokens, "token")} read in {Say.Milliseconds(timing.PrefillMilliseconds)}{(timing.CachedTokens > 0 ? $" ({timing.CachedTokens} known from before)" : "")}",
            $"{Say.Count(timing.GeneratedTokens, "token")} generated in {Say.Milliseconds(timing.PrefillMilliseconds + timing.DecodeMilliseconds)}",
        };
        if (timing.TokensPerSecond > 0)
        {
            parts.Add(Say.Rate(timing.TokensPerSecond));
        }

        if (timing.DraftedTokens > 0)
        {
            parts.Add($"{timing.AcceptedTokens} of {Say.Count(timing.DraftedTokens, "guessed token")} right");
        }

        return string.Join(", ", parts);
    }

    /// <summary>Prints both to standard error, so that a pipe carries the answer alone.</summary>
    public static void Print(PromptAnswer answer)
    {
        Line("route", Route(answer.Route));
        Line("timing", Timing(answer.Timing));
    }

    /// <summary>A device id as short as people read it.</summary>
    public static string Short(string id) => id.Length > ShortId ? id[..ShortId] : id;

    private static void Line(string name, string value)
    {
        if (Console.IsErrorRedirected)
        {
            Console.Error.WriteLine($"{name}: {value}");
        }
        else
        {
            Screen.Side.Write(new Text($"{name}: {value}\n", new Style(Color.Grey)));
        }
    }
}
