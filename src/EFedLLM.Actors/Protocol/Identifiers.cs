using System.Buffers;

namespace EFedLLM.Actors.Protocol;

/// <summary>A device: the first 32 lower-case hexadecimal digits of the SHA-256 of its Ed25519 public key. Outlives restarts and addresses.</summary>
public readonly record struct DeviceId
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string? _value;

    /// <summary>Takes 32 lower-case hexadecimal digits.</summary>
    /// <exception cref="FormatException">The text is something else.</exception>
    public DeviceId(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Length != 32 || value.AsSpan().ContainsAnyExcept(HexDigits))
        {
            throw new FormatException("A device id is 32 lower-case hexadecimal digits.");
        }

        _value = value;
    }

    /// <summary>The 32 hexadecimal digits.</summary>
    public string Value => _value ?? new string('0', 32);

    /// <summary>The first 8 digits: enough for people to tell devices apart.</summary>
    public string Short => Value[..8];

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>A session: one generation with its caches on the shards of its route.</summary>
/// <param name="Value">Random.</param>
public readonly record struct SessionId(Guid Value)
{
    /// <summary>A new random id.</summary>
    public static SessionId New() => new(Guid.NewGuid());

    /// <inheritdoc/>
    public override string ToString() => Value.ToString("n");
}

/// <summary>A prompt: one request at a gateway, chosen by whoever asks.</summary>
/// <param name="Value">Random.</param>
public readonly record struct PromptId(Guid Value)
{
    /// <summary>A new random id.</summary>
    public static PromptId New() => new(Guid.NewGuid());

    /// <inheritdoc/>
    public override string ToString() => Value.ToString("n");
}

/// <summary>One entry for the ledger. The ledger counts an id once, however often it arrives.</summary>
/// <param name="Reporter">The node that reports: chosen at random when it starts.</param>
/// <param name="Sequence">Numbered by the reporter from 1 for each device it reports on, ascending.</param>
public readonly record struct ReportId(Guid Reporter, long Sequence);
