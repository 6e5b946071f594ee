namespace EFedLLM.Node.Http;

/// <summary>Bounds of the HTTP interface.</summary>
/// <param name="BodyBytes">The largest request body.</param>
/// <param name="DefaultMaxTokens">Answer length where a request names none.</param>
/// <param name="MaxTokens">The longest answer.</param>
internal sealed record HttpApiSettings(long BodyBytes = 8 << 20, int DefaultMaxTokens = 512, int MaxTokens = 1 << 20);
