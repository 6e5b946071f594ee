using System.Collections.Immutable;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Generation;

/// <summary>
/// Follows the tokens of one answer: gives out text as it becomes certain and says when the answer ends. Text that may
/// still turn out to be the beginning of a stop text is held back. Used by every way to generate, so that all end alike.
/// </summary>
public sealed class AnswerText
{
    private readonly ModelTokenizer _tokenizer;
    private readonly GenerationSettings _settings;
    private readonly ImmutableArray<int> _endTokens;
    private readonly StreamingDecoder _decoder;
    private string _held = "";
    private int _count;

    /// <summary>Begins an answer.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="settings">When the answer ends.</param>
    /// <param name="endTokens">The model's end tokens.</param>
    public AnswerText(ModelTokenizer tokenizer, GenerationSettings settings, ImmutableArray<int> endTokens)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(settings);
        (_tokenizer, _settings, _endTokens) = (tokenizer, settings, endTokens);
        _decoder = tokenizer.CreateDecoder();
    }

    /// <summary>Why the answer ended, or null while it goes on.</summary>
    public FinishReason? Finished { get; private set; }

    /// <summary>The same answer before its first token.</summary>
    public AnswerText Again() => new(_tokenizer, _settings, _endTokens);

    /// <summary>Takes the next token and returns the text that is now certain, often empty. After the last token, what was held back is in it.</summary>
    /// <exception cref="InvalidOperationException">The answer has ended.</exception>
    public string Append(int token)
    {
        if (Finished is not null)
        {
            throw new InvalidOperationException("The answer has ended.");
        }

        _count++;
        if (!_settings.IgnoreEndTokens && _endTokens.Contains(token))
        {
            Finished = FinishReason.Stop;
            return Release(_held + _decoder.Flush());
        }

        var text = _held + _decoder.Append(token);
        if (FindStop(text) is { } stop)
        {
            Finished = FinishReason.Stop;
            return Release(text[..stop]);
        }

        if (_count < _settings.MaxTokens)
        {
            var certain = text.Length - LongestStopBeginning(text);
            _held = text[certain..];
            return text[..certain];
        }

        var whole = text + _decoder.Flush();
        Finished = FindStop(whole) is null ? FinishReason.Length : FinishReason.Stop;
        return Release(whole);
    }

    /// <summary>Ends the answer from outside and returns the text held back until now.</summary>
    public string End(FinishReason reason)
    {
        if (Finished is not null)
        {
            return "";
        }

        Finished = reason;
        return Release(_held + _decoder.Flush());
    }

    private string Release(string text)
    {
        _held = "";
        // What the decoder gave at the very end may have completed a stop text.
        return FindStop(text) is { } stop ? text[..stop] : text;
    }

    private int? FindStop(string text)
    {
        var first = int.MaxValue;
        foreach (var stop in _settings.Stop)
        {
            var at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0)
            {
                first = Math.Min(first, at);
            }
        }

        return first == int.MaxValue ? null : first;
    }

    private int LongestStopBeginning(string text)
    {
        var longest = 0;
        foreach (var stop in _settings.Stop)
        {
            for (var length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan().EndsWith(stop.AsSpan(0, length), StringComparison.Ordinal))
                {
                    longest = length;
                }
            }
        }

        return longest;
    }
}
