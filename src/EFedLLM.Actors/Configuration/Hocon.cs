namespace EFedLLM.Actors.Configuration;

/// <summary>Values written into HOCON.</summary>
internal static class Hocon
{
    /// <summary>A text as a quoted HOCON string.</summary>
    public static string Quote(string text)
        => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal)}\"";

    /// <summary>Texts as a HOCON list.</summary>
    public static string List(IEnumerable<string> texts) => $"[{string.Join(", ", texts.Select(Quote))}]";
}
