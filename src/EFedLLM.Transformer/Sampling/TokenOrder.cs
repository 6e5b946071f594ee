namespace EFedLLM.Transformer.Sampling;

/// <summary>
/// Tokens in the order of their logits as plain integers: a smaller key is a larger logit, and of equal logits the lower
/// id. Distinct tokens have distinct keys, so every selection has one right result.
/// </summary>
internal static class TokenOrder
{
    /// <summary>The key of a token with a finite logit.</summary>
    public static ulong Key(float logit, int id)
    {
        // Adding 0 makes one of both zeros. Of negative numbers the larger bit pattern is the smaller number.
        var bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        var ascending = (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
        return ((ulong)~ascending << 32) | (uint)id;
    }

    /// <summary>The token of a key.</summary>
    public static int Id(ulong key) => (int)(uint)key;

    /// <summary>Puts the tokens with the largest logits into <paramref name="best"/>, the best first, as many as it takes.</summary>
    public static void TakeBest(ReadOnlySpan<float> logits, Span<ulong> best)
    {
        // A heap with the worst of those kept at its root.
        var count = 0;
        for (var id = 0; id < logits.Length; id++)
        {
            var key = Key(logits[id], id);
            if (count < best.Length)
            {
                Rise(best, count++, key);
            }
            else if (key < best[0])
            {
                Sink(best, key);
            }
        }

        best.Sort();
    }

    private static void Rise(Span<ulong> heap, int at, ulong key)
    {
        while (at > 0 && heap[(at - 1) / 2] < key)
        {
            heap[at] = heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }

        heap[at] = key;
    }

    private static void Sink(Span<ulong> heap, ulong key)
    {
        var at = 0;
        while (2 * at + 1 < heap.Length)
        {
            var child = 2 * at + 1;
            if (child + 1 < heap.Length && heap[child + 1] > heap[child])
            {
                child++;
            }

            if (heap[child] <= key)
            {
                break;
            }

            heap[at] = heap[child];
            at = child;
        }

        heap[at] = key;
    }
}
