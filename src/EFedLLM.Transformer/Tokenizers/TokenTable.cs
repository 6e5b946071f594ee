using System.Text;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Every token by its id, with what decoding needs of it worked out beforehand.</summary>
internal sealed class TokenTable
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly Entry[] _entries;

    /// <param name="tokens">Ids and tokens; ids may have gaps, later entries replace earlier ones of the same id.</param>
    /// <param name="special">Ids that are left out of decoded text.</param>
    /// <param name="plan">How tokens become text.</param>
    public TokenTable(IReadOnlyCollection<KeyValuePair<string, int>> tokens, IReadOnlySet<int> special, DecodingPlan plan)
    {
        Plan = plan;
        _entries = new Entry[tokens.Count == 0 ? 0 : tokens.Max(token => token.Value) + 1];
        foreach (var (token, id) in tokens)
        {
            _entries[id] = Describe(token, special.Contains(id), plan);
        }
    }

    public DecodingPlan Plan { get; }

    /// <summary>Number of ids, gaps included.</summary>
    public int Count => _entries.Length;

    /// <summary>What is known of an id; of one without a token, nothing.</summary>
    public Entry this[int id] => (uint)id < (uint)_entries.Length ? _entries[id] : default;

    private static Entry Describe(string token, bool isSpecial, DecodingPlan plan)
    {
        if (plan.IsByteLevel)
        {
            var bytes = DecodingPlan.Bytes(token);
            try
            {
                return new Entry(token, Strict.GetString(bytes), bytes, isSpecial);
            }
            catch (DecoderFallbackException)
            {
                return new Entry(token, null, bytes, isSpecial);
            }
        }

        return plan.Byte(token) is { } value
            ? new Entry(token, null, [value], isSpecial)
            : new Entry(token, plan.Text(token, isFirst: false), null, isSpecial);
    }

    /// <param name="Token">The token as the vocabulary has it; null for an id without one.</param>
    /// <param name="Text">The text it stands for by itself, or null where it is only part of a character.</param>
    /// <param name="Bytes">The bytes it stands for, or null where it is text.</param>
    /// <param name="IsSpecial">Whether it is left out of decoded text.</param>
    public readonly record struct Entry(string? Token, string? Text, byte[]? Bytes, bool IsSpecial);
}
