using System.Text;
using Microsoft.ML.Tokenizers;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>
/// Byte-pair encoding of one word at a time. The merging itself is Microsoft.ML.Tokenizers'; what it does not know
/// (byte fallback, whole words before merges) and what it is slow at (words as long as the text) is done around it.
/// </summary>
internal sealed class BytePairEncoder : IWordEncoder
{
    /// <summary>
    /// Longest run that is merged as one. Its time may grow with the square of the length; longer runs in which every
    /// two neighbours occur in some token (many thousand times the same letter) are cut here.
    /// </summary>
    private const int MaximumRun = 1 << 14;

    private readonly BpeTokenizer _merger;
    private readonly BytePairModel _model;
    private readonly Dictionary<int, int> _characters = [];
    private readonly ulong[] _knownCharacters = new ulong[(char.MaxValue + 1) / 64];
    private readonly HashSet<uint> _joinable = [];
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? _wholeWords;

    /// <exception cref="InvalidDataException">A merge names a token that is not in the vocabulary.</exception>
    public BytePairEncoder(BytePairModel model)
    {
        _model = model;
        _wholeWords = model.WholeWords?.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var (token, id) in model.Vocabulary)
        {
            if (token.Length > 0 && Rune.DecodeFromUtf16(token, out var rune, out var length) == System.Buffers.OperationStatus.Done && length == token.Length)
            {
                _characters[rune.Value] = id;
                if (rune.IsBmp)
                {
                    _knownCharacters[rune.Value / 64] |= 1UL << (rune.Value % 64);
                }
            }
        }

        foreach (var (left, right) in model.Merges)
        {
            _joinable.Add(Pair(left[^1], right[0]));
        }

        _merger = BpeTokenizer.Create(new BpeOptions(model.Vocabulary) { Merges = model.Merges.Select(merge => $"{merge.Left} {merge.Right}") });
    }

    public void Encode(ReadOnlySpan<char> word, List<int> output)
    {
        if (_wholeWords is { } words && words.TryGetValue(word, out var whole))
        {
            output.Add(whole);
            return;
        }

        var start = 0;
        var afterUnknown = false;
        for (var at = 0; at < word.Length;)
        {
            Rune.DecodeFromUtf16(word[at..], out var rune, out var length);
            if (!IsKnown(rune))
            {
                EncodeRun(word[start..at], output);
                at += length;
                start = at;
                afterUnknown = EncodeUnknown(rune, afterUnknown, output);
                continue;
            }

            // No merge joins two neighbours that stand next to each other in no token, so the word may be cut between them.
            afterUnknown = false;
            at += length;
            if (at < word.Length && (!_joinable.Contains(Pair(word[at - 1], word[at])) || at - start >= MaximumRun))
            {
                EncodeRun(word[start..at], output);
                start = at;
            }
        }

        EncodeRun(word[start..], output);
    }

    private static uint Pair(char left, char right) => ((uint)left << 16) | right;

    private bool IsKnown(Rune rune) => rune.IsBmp
        ? (_knownCharacters[rune.Value / 64] >> (rune.Value % 64) & 1) != 0
        : _characters.ContainsKey(rune.Value);

    private void EncodeRun(ReadOnlySpan<char> run, List<int> output)
    {
        if (run.Length == 0)
        {
            return;
        }

        if (Rune.DecodeFromUtf16(run, out var rune, out var length) == System.Buffers.OperationStatus.Done && length == run.Length)
        {
            output.Add(_characters[rune.Value]);
            return;
        }

        var ids = _merger.EncodeToIds(run, considerPreTokenization: false, considerNormalization: false);
        for (var i = 0; i < ids.Count; i++)
        {
            output.Add(ids[i]);
        }
    }

    private bool EncodeUnknown(Rune rune, bool afterUnknown, List<int> output)
    {
        if (_model.ByteIds is { } bytes)
        {
            Span<byte> utf8 = stackalloc byte[4];
            foreach (var value in utf8[..rune.EncodeToUtf8(utf8)])
            {
                output.Add(bytes[value]);
            }

            return false;
        }

        if (_model.UnknownId is { } unknown && !(afterUnknown && _model.FusesUnknown))
        {
            output.Add(unknown);
        }

        return true;
    }
}
