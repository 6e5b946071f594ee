using System.Text;
using System.Text.RegularExpressions;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>The tokenizer of a model folder (<c>tokenizer.json</c>, else <c>tokenizer.model</c>) or of a GGUF file. Thread-safe.</summary>
public sealed class ModelTokenizer
{
    private readonly TokenizerPipeline _pipeline;
    private readonly AddedTokenMatcher _rawMatcher;
    private readonly AddedTokenMatcher? _normalizedMatcher;
    private readonly TokenTable _table;
    private readonly Dictionary<string, int> _ids;

    private ModelTokenizer(TokenizerPipeline pipeline)
    {
        _pipeline = pipeline;
        _rawMatcher = new AddedTokenMatcher(pipeline.AddedTokens.Where(token => !token.IsNormalized));
        var normalized = pipeline.AddedTokens.Where(token => token.IsNormalized).Select(token => token with { Content = Normalize(token.Content) }).ToArray();
        _normalizedMatcher = normalized.Length == 0 ? null : new AddedTokenMatcher(normalized);
        _ids = new Dictionary<string, int>(pipeline.Vocabulary, StringComparer.Ordinal);
        foreach (var token in pipeline.AddedTokens)
        {
            _ids[token.Content] = token.Id;
        }

        _table = new TokenTable(_ids, pipeline.AddedTokens.Where(token => token.IsSpecial).Select(token => token.Id).ToHashSet(), pipeline.Decoding);
    }

    /// <summary>Loads the tokenizer of a checkpoint or factored model folder, or of a GGUF file.</summary>
    /// <exception cref="FileNotFoundException">It has neither <c>tokenizer.json</c> nor <c>tokenizer.model</c>.</exception>
    /// <exception cref="InvalidDataException">The file is malformed; the message says what is wrong.</exception>
    /// <exception cref="NotSupportedException">It needs something that is not supported; the message names it.</exception>
    public static ModelTokenizer Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var json = Path.Combine(folder, TokenizerJsonReader.FileName);
        if (CompanionFiles.Read(folder, TokenizerJsonReader.FileName, TokenizerJsonReader.MaximumBytes) is { } bytes)
        {
            return new ModelTokenizer(TokenizerJsonReader.Read(bytes, json));
        }

        return File.Exists(Path.Combine(folder, SentencePieceReader.FileName))
            ? new ModelTokenizer(SentencePieceReader.Read(folder))
            : throw new FileNotFoundException($"\"{folder}\" has neither {TokenizerJsonReader.FileName} nor {SentencePieceReader.FileName}: fetch the model's tokenizer.", json);
    }

    /// <summary>Number of ids, added tokens included (one more than the largest).</summary>
    public int VocabularySize => _table.Count;

    /// <summary>Encodes text; special tokens written in it are recognised. With <paramref name="addSpecial"/>, the begin token is put in front where the tokenizer's own post-processing does so.</summary>
    /// <exception cref="InvalidDataException">The tokenizer's files turn out to be damaged.</exception>
    public int[] Encode(string text, bool addSpecial = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>();
        if (addSpecial)
        {
            ids.AddRange(_pipeline.Before);
        }

        Encode(WithoutHalves(text), static (_, _) => true, ids);
        if (addSpecial)
        {
            ids.AddRange(_pipeline.Behind);
        }

        return [.. ids];
    }

    /// <summary>
    /// Encodes a rendered chat: special tokens are recognised in <see cref="PromptSegment.IsTrusted"/> segments only,
    /// plain text runs across segments. Where the tokenizer's own post-processing puts a begin token in front, it does
    /// so here unless the text begins with a special token of its own.
    /// </summary>
    public int[] Encode(IReadOnlyList<PromptSegment> segments)
    {
        ArgumentNullException.ThrowIfNull(segments);
        var text = new StringBuilder();
        var untrusted = new List<(int Start, int End)>();
        foreach (var segment in segments)
        {
            var start = text.Length;
            text.Append(WithoutHalves(segment.Text));
            if (!segment.IsTrusted && text.Length > start)
            {
                untrusted.Add((start, text.Length));
            }
        }

        var ids = new List<int>();
        Encode(text.ToString(), IsTrusted, ids);
        if (ids.Count == 0 || !_table[ids[0]].IsSpecial)
        {
            ids.InsertRange(0, _pipeline.Before);
        }

        return [.. ids];

        bool IsTrusted(int start, int end)
        {
            // The last untrusted range that begins before the end is the only one that may overlap.
            var (low, high) = (0, untrusted.Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                (low, high) = untrusted[middle].Start < end ? (middle + 1, high) : (low, middle);
            }

            return low == 0 || untrusted[low - 1].End <= start;
        }
    }

    /// <summary>Decodes ids; special tokens are left out unless asked for. Ids without a token give no text.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true)
    {
        var decoder = CreateDecoder(skipSpecial);
        var text = new StringBuilder();
        foreach (var id in ids)
        {
            text.Append(decoder.Append(id));
        }

        return text.Append(decoder.Flush()).ToString();
    }

    /// <summary>A decoder for one stream of ids.</summary>
    public StreamingDecoder CreateDecoder(bool skipSpecial = true) => new(_table, skipSpecial);

    /// <summary>The id of a token as the vocabulary or the added tokens spell it, or null.</summary>
    public int? TokenId(string token) => _ids.TryGetValue(token, out var id) ? id : null;

    /// <summary>A token as the vocabulary spells it (not as text), or null for an id without one.</summary>
    public string? Token(int id) => _table[id].Token;

    /// <summary>The text of one token by itself; U+FFFD for bytes that are only part of a character, empty for an id without a token.</summary>
    public string TokenText(int id)
    {
        var entry = _table[id];
        return entry.Text ?? (entry.Bytes is { } bytes ? Encoding.UTF8.GetString(bytes) : "");
    }

    /// <summary>The bytes of one token by itself, UTF-8; empty for an id without a token.</summary>
    public byte[] TokenBytes(int id)
    {
        var entry = _table[id];
        return entry.Bytes is { } bytes ? [.. bytes] : Encoding.UTF8.GetBytes(entry.Text ?? "");
    }

    /// <summary>Whether a token steers the model rather than being text.</summary>
    public bool IsSpecial(int id) => _table[id].IsSpecial;

    /// <summary>Half a surrogate pair is no text; it becomes U+FFFD, as it would in UTF-8.</summary>
    private static string WithoutHalves(string text) =>
        text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) : text;

    private void Encode(string text, Func<int, int, bool> isTrusted, List<int> ids)
    {
        try
        {
            EncodeParts(text, isTrusted, ids);
        }
        catch (RegexMatchTimeoutException error)
        {
            throw new InvalidDataException($"The tokenizer's pattern {error.Pattern} takes too long on this text: the tokenizer is broken. Fetch it again.", error);
        }
    }

    private void EncodeParts(string text, Func<int, int, bool> isTrusted, List<int> ids)
    {
        var parts = new List<(AddedToken? Token, int Start, int End)>();
        _rawMatcher.Split(text, isTrusted, parts);
        var inner = new List<(AddedToken? Token, int Start, int End)>();
        foreach (var (token, start, end) in parts)
        {
            if (token is not null)
            {
                ids.Add(token.Id);
                continue;
            }

            var piece = Normalize(text[start..end]);
            if (_normalizedMatcher is null)
            {
                EncodePlain(piece, start == 0, ids);
                continue;
            }

            // Normalisation moves characters, so a part is trusted as a whole or not at all.
            var trusted = isTrusted(start, end);
            inner.Clear();
            _normalizedMatcher.Split(piece, (_, _) => trusted, inner);
            foreach (var (innerToken, innerStart, innerEnd) in inner)
            {
                if (innerToken is not null)
                {
                    ids.Add(innerToken.Id);
                }
                else
                {
                    EncodePlain(piece[innerStart..innerEnd], start == 0 && innerStart == 0, ids);
                }
            }
        }
    }

    private string Normalize(string text)
    {
        foreach (var normalizer in _pipeline.Normalizers)
        {
            text = normalizer(text);
        }

        return text;
    }

    private void EncodePlain(string text, bool isFirst, List<int> ids)
    {
        foreach (var word in _pipeline.Words(text, isFirst))
        {
            _pipeline.Encoder.Encode(word, ids);
        }
    }
}
