namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// The identity of a model: the lower-case hexadecimal SHA-256 of its manifest. Two devices with the same
/// <see cref="ModelId"/> compute the same function, bit for bit.
/// </summary>
public readonly record struct ModelId
{
    private static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdef");

    private readonly string? _value;

    /// <summary>Takes a 64-digit lower-case hexadecimal hash.</summary>
    /// <exception cref="FormatException">The text is not such a hash.</exception>
    public ModelId(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Length != 64 || value.AsSpan().ContainsAnyExcept(HexDigits))
        {
            throw new FormatException("A model id is 64 lower-case hexadecimal digits (the SHA-256 of a manifest).");
        }

        _value = value;
    }

    /// <summary>The 64 hexadecimal digits.</summary>
    public string Value => _value ?? new string('0', 64);

    /// <summary>The first 12 digits: enough for people to tell models apart.</summary>
    public string Short => Value[..12];

    /// <inheritdoc/>
    public override string ToString() => Value;
}
