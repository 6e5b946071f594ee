using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace EFedLLM.Transformer.Tests.Support;

/// <summary>Takes results in and gives the hash of their bits.</summary>
internal sealed class BitResults : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>The hash of everything a digest computes in this process.</summary>
    public static string Hash(IBitDigest digest)
    {
        using var results = new BitResults();
        digest.Compute(results);
        return Convert.ToHexStringLower(results._hash.GetHashAndReset());
    }

    public void Add<T>(ReadOnlySpan<T> values)
        where T : unmanaged => _hash.AppendData(MemoryMarshal.AsBytes(values));

    public void Add<T>(T value)
        where T : unmanaged => Add(new ReadOnlySpan<T>(in value));

    public void Dispose() => _hash.Dispose();
}
