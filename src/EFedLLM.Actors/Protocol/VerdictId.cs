using System.Buffers;
using System.Buffers.Binary;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Protocol;

/// <summary>
/// Names a verdict among those on one device, short enough to be typed: the first 10 lower-case hexadecimal digits of a SHA-256 of the
/// report it came by. Of a thousand verdicts on a device two have the same with a probability below one in a million.
/// </summary>
public readonly record struct VerdictId
{
    /// <summary>Number of digits.</summary>
    public const int Digits = 10;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string? _value;

    /// <summary>Takes 10 lower-case hexadecimal digits.</summary>
    /// <exception cref="FormatException">The text is something else.</exception>
    public VerdictId(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Length != Digits || value.AsSpan().ContainsAnyExcept(HexDigits))
        {
            throw new FormatException($"A verdict's id is {Digits} lower-case hexadecimal digits.");
        }

        _value = value;
    }

    /// <summary>The digits.</summary>
    public string Value => _value ?? new string('0', Digits);

    /// <summary>That of a report.</summary>
    public static VerdictId Of(ReportId report)
    {
        Span<byte> bytes = stackalloc byte[24];
        report.Reporter.TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(bytes[16..], report.Sequence);
        return new VerdictId(Digest.Of(bytes).ToString()[..Digits]);
    }

    /// <inheritdoc/>
    public override string ToString() => Value;
}
