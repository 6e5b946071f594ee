using System.Text.Json;
using EFedLLM.Node.CommandLine;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.Models;

/// <summary>
/// The token that stands before a text whose likelihood is measured, so that its first token has something to follow:
/// the model's begin token; where it has none, <c>&lt;|endoftext|&gt;</c>, which such models saw between documents; else the
/// pad token that <c>config.json</c> or <c>generation_config.json</c> names; else the first end token.
/// </summary>
internal static class StartToken
{
    private const string BetweenDocuments = "<|endoftext|>";
    private const long MaximumBytes = 4 << 20;

    /// <summary>The start token of a model.</summary>
    /// <exception cref="UserErrorException">It has none of these; the message says what to do.</exception>
    public static int Of(ModelShape shape, ModelTokenizer tokenizer, string folder) =>
        shape.BeginToken
        ?? tokenizer.TokenId(BetweenDocuments)
        ?? PadToken(folder, "config.json", shape)
        ?? PadToken(folder, "generation_config.json", shape)
        ?? (shape.EndTokens is [var end, ..] ? (int?)end : null)
        ?? throw new UserErrorException("The model has no token to begin with: name one with --start-token.", ExitCodes.Usage);

    private static int? PadToken(string folder, string file, ModelShape shape)
    {
        if (CompanionFiles.Read(folder, file, MaximumBytes) is not { } bytes)
        {
            return null;
        }

        using var document = JsonDocument.Parse(bytes);
        return document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.TryGetProperty("pad_token_id", out var pad)
            && pad.ValueKind == JsonValueKind.Number && pad.TryGetInt32(out var id) && id >= 0 && id < shape.VocabularySize
            ? id
            : null;
    }
}
