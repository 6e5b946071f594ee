using System.Text;

namespace EFedLLM.Node.Client;

/// <summary>Reads lines from a stream as they arrive, none longer than a bound.</summary>
/// <param name="stream">UTF-8 text.</param>
/// <param name="mostCharacters">The longest line.</param>
internal sealed class BoundedLines(Stream stream, int mostCharacters) : IDisposable
{
    private readonly StreamReader _reader = new(stream, Encoding.UTF8);
    private readonly char[] _buffer = new char[4096];
    private readonly StringBuilder _line = new();
    private int _from;
    private int _end;

    /// <summary>The next line, or null at the end.</summary>
    /// <exception cref="InvalidDataException">The line is longer than the bound.</exception>
    public async ValueTask<string?> ReadAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var newline = _buffer.AsSpan(_from, _end - _from).IndexOf('\n');
            var taken = newline < 0 ? _end - _from : newline;
            if (_line.Length + taken > mostCharacters)
            {
                throw new InvalidDataException($"A line has more than {mostCharacters} characters.");
            }

            _line.Append(_buffer, _from, taken);
            _from += taken;
            if (newline >= 0)
            {
                _from++;
                return Take();
            }

            (_from, _end) = (0, await _reader.ReadAsync(_buffer, cancellation));
            if (_end == 0)
            {
                return _line.Length > 0 ? Take() : null;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();

    private string Take()
    {
        var line = _line.ToString();
        _line.Clear();
        return line.EndsWith('\r') ? line[..^1] : line;
    }
}
