using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Protocol;

/// <summary>
/// A cluster, as it stands in everything that is signed: the SHA-256 of its authority's public key. A cluster without TLS has no authority
/// and keeps nobody out; its id is made of its name, so that what is signed there never counts in a cluster that has one.
/// </summary>
/// <param name="Value">The hash.</param>
public readonly record struct ClusterId(Digest Value)
{
    /// <summary>The first 8 hexadecimal digits: enough for people to tell clusters apart.</summary>
    public string Short => ToString()[..8];

    /// <summary>The cluster of an authority.</summary>
    /// <param name="fingerprint">The SHA-256 of its public key, 64 hexadecimal digits.</param>
    /// <exception cref="FormatException">The text is something else.</exception>
    public static ClusterId Parse(string fingerprint)
    {
        ArgumentNullException.ThrowIfNull(fingerprint);
        return fingerprint.Length == 2 * Digest.Bytes
            ? new ClusterId(Digest.Read(Convert.FromHexString(fingerprint)))
            : throw new FormatException($"A cluster's id is {2 * Digest.Bytes} hexadecimal digits.");
    }

    /// <summary>A cluster that uses no TLS.</summary>
    /// <param name="name">What all of its nodes call their actor system.</param>
    public static ClusterId WithoutTls(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return new ClusterId(Digest.Of([.. "efedllm cluster without tls 1\n"u8, .. System.Text.Encoding.UTF8.GetBytes(name)]));
    }

    /// <inheritdoc/>
    public override string ToString() => Value.ToString();
}
