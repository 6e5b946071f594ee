using System.Text.Json;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>
/// Reads <c>tokenizer.model</c> (a sentencepiece ModelProto, byte-pair or unigram). Normalising and unigram segmenting
/// are Microsoft.ML.Tokenizers' reading of it; its byte-pair merging takes a later pair before an earlier one of the same
/// score where the reference does not, so that kind is turned into merges.
/// </summary>
internal static class SentencePieceReader
{
    public const string FileName = "tokenizer.model";
    private const string ConfigFileName = "tokenizer_config.json";
    private const long MaximumBytes = 16L << 20;
    private const long MaximumConfigBytes = 8L << 20;

    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    /// <exception cref="NotSupportedException">It is of a kind that is not supported; the message names it.</exception>
    public static TokenizerPipeline Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        var bytes = CheckpointJson.ReadBytes(path, MaximumBytes);
        var model = SentencePieceModel.Parse(bytes, path);
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (text, _, _) in model.Pieces)
        {
            vocabulary.Add(text, vocabulary.Count);
        }

        var library = new SentencePieceLibrary(bytes, path);
        var (added, addsBegin, addsEnd) = ReadConfig(folder, model);
        return new TokenizerPipeline
        {
            AddedTokens = added,
            Vocabulary = vocabulary,
            Normalizers = model.IsBytePair ? [library.Normalize] : [],
            Splitters = [],
            Encoder = model.IsBytePair ? new BytePairEncoder(BytePairs(model, vocabulary, path)) : new SentencePieceEncoder(library, model),
            Decoding = new DecodingPlan
            {
                Replacements = [("\u2581", " ")],
                HasByteTokens = model.HasByteFallback,
                StripCharacter = ' ',
                StripCount = model.AddsDummyPrefix ? 1 : 0,
            },
            Before = addsBegin && model.BeginId is { } begin ? [begin] : [],
            Behind = addsEnd && model.EndId is { } end ? [end] : [],
        };
    }

    /// <summary>
    /// Two neighbours may become a piece that is their concatenation, the piece of the highest score first: as merges, in
    /// the order of huggingface/transformers' SentencePieceExtractor.
    /// </summary>
    private static BytePairModel BytePairs(SentencePieceModel model, Dictionary<string, int> vocabulary, string path)
    {
        const int Most = 1 << 21;
        var pieces = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<(string Left, string Right, float Score)>();
        foreach (var (text, kind, score) in model.Pieces)
        {
            for (var at = 1; kind == SentencePieceKind.Normal && at < text.Length; at++)
            {
                if (IsNormal(text.AsSpan(0, at), out var left) && IsNormal(text.AsSpan(at), out var right))
                {
                    merges.Add((model.Pieces[left].Text, model.Pieces[right].Text, score));
                }
            }

            if (merges.Count > Most)
            {
                throw new InvalidDataException($"\"{path}\" has more than {Most} ways to join pieces. Fetch the tokenizer again.");
            }
        }

        return new BytePairModel(vocabulary, [.. merges.OrderByDescending(merge => merge.Score).ThenByDescending(merge => merge.Left.Length).Select(merge => (merge.Left, merge.Right))])
        {
            ByteIds = model.HasByteFallback ? [.. Enumerable.Range(0, 256).Select(value => vocabulary[$"<0x{value:X2}>"])] : null,
            UnknownId = model.UnknownId,
            FusesUnknown = true,
        };

        bool IsNormal(ReadOnlySpan<char> text, out int id) => pieces.TryGetValue(text, out id) && model.Pieces[id].Kind == SentencePieceKind.Normal;
    }

    private static (List<AddedToken> Added, bool AddsBegin, bool AddsEnd) ReadConfig(string folder, SentencePieceModel model)
    {
        var added = model.Pieces
            .Select((piece, id) => (piece, id))
            .Where(entry => entry.piece.Kind is SentencePieceKind.Control or SentencePieceKind.Unknown or SentencePieceKind.UserDefined)
            .ToDictionary(entry => entry.id, entry => new AddedToken(entry.id, entry.piece.Text, IsSpecial: entry.piece.Kind != SentencePieceKind.UserDefined));
        var path = Path.Combine(folder, ConfigFileName);
        if (!File.Exists(path))
        {
            return ([.. added.Values], true, false);
        }

        using var config = CheckpointJson.ReadObject(path, MaximumConfigBytes);
        var parts = new TokenizerJsonParts(path);
        if (CheckpointJson.Get(config.RootElement, "added_tokens_decoder") is { ValueKind: JsonValueKind.Object } tokens)
        {
            foreach (var entry in tokens.EnumerateObject())
            {
                if (!int.TryParse(CheckpointJson.Name(entry, "added_tokens_decoder", path), out var id) || id is < 0 or > TokenizerJsonReader.MaximumId)
                {
                    throw parts.Bad("added_tokens_decoder has a key that is not an id");
                }

                added[id] = parts.AddedToken(entry.Value, id);
            }
        }

        return ([.. added.Values], parts.Flag(config.RootElement, "add_bos_token", true), parts.Flag(config.RootElement, "add_eos_token", false));
    }
}
