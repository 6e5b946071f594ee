using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// The names of the whole pages of a text: each is a hash over the one before and the token ids of its page, from a secret of the gateway, who asks and the model on. So
/// equal names mean equal texts from the first token on.
/// </summary>
/// <remarks>
/// How soon an answer begins tells whoever asks that somebody has asked the same beginning before. Therefore nobody outside the gateway can make names, those of another
/// gateway are never the same, and neither are those of prompts with different API keys, unless the gateway's settings let them share.
/// </remarks>
/// <param name="State">The whole hash until the end of the last page; of a name only half of it is told, so that nobody can hash on from it.</param>
/// <param name="Keys">The names.</param>
internal sealed record PrefixChain(Digest State, ImmutableArray<PageKey> Keys)
{
    /// <summary>Bytes of a gateway's secret.</summary>
    public const int SecretBytes = 32;

    /// <summary>Positions that the pages have.</summary>
    public int Positions => Keys.Length * KvCache.PagePositions;

    /// <summary>A text without a page.</summary>
    /// <param name="secret">The gateway's secret, 32 random bytes.</param>
    /// <param name="tenant">Who asks: those of one name share pages.</param>
    /// <param name="model">The model.</param>
    public static PrefixChain Begin(ReadOnlySpan<byte> secret, string tenant, ModelId model)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(secret.Length, SecretBytes);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(secret);
        hash.AppendData(Encoding.UTF8.GetBytes($"efedllm prefix 1 {KvCache.PagePositions} {model.Value} {tenant}"));
        return new PrefixChain(Digest.Read(hash.GetHashAndReset()), []);
    }

    /// <summary>The chain with the whole pages of more tokens, at most <see cref="ProtocolLimits.PrefixPages"/> altogether.</summary>
    /// <param name="tokens">The tokens behind <see cref="Positions"/>; what is left over of them is not in a page.</param>
    public PrefixChain With(ReadOnlySpan<int> tokens)
    {
        var pages = Math.Min(tokens.Length / KvCache.PagePositions, ProtocolLimits.PrefixPages - Keys.Length);
        if (pages <= 0)
        {
            return this;
        }

        var keys = Keys.ToBuilder();
        Span<byte> data = stackalloc byte[Digest.Bytes + (KvCache.PagePositions * sizeof(int))];
        var state = State;
        for (var page = 0; page < pages; page++)
        {
            state.Write(data);
            MemoryMarshal.AsBytes(tokens.Slice(page * KvCache.PagePositions, KvCache.PagePositions)).CopyTo(data[Digest.Bytes..]);
            state = Digest.Of(data);
            keys.Add(new PageKey(state.A, state.B));
        }

        return new PrefixChain(state, keys.ToImmutable());
    }
}
