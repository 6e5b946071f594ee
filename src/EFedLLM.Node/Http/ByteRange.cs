using Microsoft.Net.Http.Headers;

namespace EFedLLM.Node.Http;

/// <summary>What of a file a request gets (RFC 9110, section 14).</summary>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Number of bytes.</param>
/// <param name="IsPartial">Whether the answer is a part (206).</param>
internal readonly record struct ByteRange(long Offset, long Length, bool IsPartial)
{
    /// <summary>
    /// The range of a request; null when none of it is in the file (416). Several ranges at once, and units other than bytes, are ignored as
    /// the standard allows: the whole is the answer. A part longer than <paramref name="most"/> is cut, which the standard allows too.
    /// </summary>
    /// <param name="asked">The header, or null.</param>
    /// <param name="length">The file's length.</param>
    /// <param name="most">Most bytes of a part.</param>
    public static ByteRange? Resolve(RangeHeaderValue? asked, long length, long most)
    {
        if (asked is null || asked.Unit != "bytes" || asked.Ranges.Count != 1)
        {
            return new ByteRange(0, length, false);
        }

        var range = asked.Ranges.First();
        if (range.From is not { } from)
        {
            // The last so many bytes.
            var suffix = Math.Min(range.To ?? 0, length);
            return suffix > 0 ? new ByteRange(length - suffix, Math.Min(suffix, most), true) : null;
        }

        if (from >= length)
        {
            return null;
        }

        var last = Math.Min(range.To ?? long.MaxValue, length - 1);
        return new ByteRange(from, Math.Min(last - from + 1, most), true);
    }
}
