using System.Text;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Turns a stream of ids into text, never giving out half a UTF-8 character. The concatenation of all pieces equals decoding all ids at once.</summary>
public sealed class StreamingDecoder
{
    private readonly TokenTable _table;
    private readonly bool _skipsSpecial;
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();
    private readonly List<byte> _byteRun = [];
    private bool _mayBeInsideCharacter;
    private bool _isFirst = true;
    private int _leftToStrip;

    internal StreamingDecoder(TokenTable table, bool skipsSpecial) =>
        (_table, _skipsSpecial, _leftToStrip) = (table, skipsSpecial, table.Plan.StripCount);

    /// <summary>
    /// Takes the next id and returns the text that is now certain (often one token's, sometimes empty). An id without a
    /// token gives no text. Where bytes are tokens of their own, a run of them is certain only when it has ended.
    /// </summary>
    public string Append(int id)
    {
        var entry = _table[id];
        if (entry.Token is null || (_skipsSpecial && entry.IsSpecial))
        {
            return "";
        }

        var text = _table.Plan.IsByteLevel ? AppendBytes(entry) : AppendText(entry);
        _isFirst = false;
        return Strip(text);
    }

    /// <summary>Returns what is left at the end: incomplete characters become U+FFFD. Then the decoder is as new.</summary>
    public string Flush()
    {
        var rest = _table.Plan.IsByteLevel ? Decode([], flush: true) : EndByteRun();
        var text = Strip(rest);
        (_mayBeInsideCharacter, _isFirst, _leftToStrip) = (false, true, _table.Plan.StripCount);
        return text;
    }

    private string AppendBytes(TokenTable.Entry entry) =>
        entry.Text is { } whole && !_mayBeInsideCharacter ? whole : Decode(entry.Bytes, flush: false);

    private string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        // Up to three bytes of an earlier token may come out as a character each.
        var characters = bytes.Length < 128 ? stackalloc char[bytes.Length + 4] : new char[bytes.Length + 4];
        _utf8.Convert(bytes, characters, flush, out _, out var count, out _);
        _mayBeInsideCharacter = bytes.Length > 0 ? bytes[^1] > 0x7F : _mayBeInsideCharacter;
        return new string(characters[..count]);
    }

    private string AppendText(TokenTable.Entry entry)
    {
        if (entry.Bytes is { } bytes)
        {
            _byteRun.AddRange(bytes);
            return "";
        }

        var text = _isFirst && _table.Plan.DiffersAtFirst ? _table.Plan.Text(entry.Token!, isFirst: true) : entry.Text!;
        return _byteRun.Count == 0 ? text : EndByteRun() + text;
    }

    /// <summary>A run of byte tokens is text where the whole of it is UTF-8, as in the reference (decoders::byte_fallback of huggingface/tokenizers).</summary>
    private string EndByteRun()
    {
        if (_byteRun.Count == 0)
        {
            return "";
        }

        var run = _byteRun.ToArray();
        _byteRun.Clear();
        return System.Text.Unicode.Utf8.IsValid(run) ? Encoding.UTF8.GetString(run) : new string('\uFFFD', run.Length);
    }

    private string Strip(string text)
    {
        if (_leftToStrip == 0 || text.Length == 0)
        {
            return text;
        }

        var start = 0;
        while (start < text.Length && _leftToStrip > 0)
        {
            if (text[start] != _table.Plan.StripCharacter)
            {
                _leftToStrip = 0;
                break;
            }

            start++;
            _leftToStrip--;
        }

        return text[start..];
    }
}
