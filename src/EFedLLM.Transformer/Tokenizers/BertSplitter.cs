using System.Buffers;
using System.Text;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Splits at white space, which goes, and makes every punctuation character a word (<c>BertPreTokenizer</c> of huggingface/tokenizers).</summary>
internal sealed class BertSplitter : TextSplitter
{
    public override void Split(string text, bool isFirst, List<string> output)
    {
        var start = 0;
        for (var at = 0; at < text.Length;)
        {
            if (Rune.DecodeFromUtf16(text.AsSpan(at), out var rune, out var length) != OperationStatus.Done)
            {
                at += length;
                continue;
            }

            var isPunctuation = BertNormalizer.IsPunctuation(rune);
            if (isPunctuation || Rune.IsWhiteSpace(rune))
            {
                Take(start, at);
                start = at + length;
                if (isPunctuation)
                {
                    Take(at, start);
                }
            }

            at += length;
        }

        Take(start, text.Length);

        void Take(int from, int to)
        {
            if (to > from)
            {
                output.Add(text[from..to]);
            }
        }
    }
}
