using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Layers;

/// <summary>Whose pages a session may begin with: what a hop adds to the names that the gateway gives them.</summary>
internal static class PrefixScope
{
    /// <summary>
    /// The scope of a session on its hop: the model, the range, the gateway's node, and the devices before it with their ranges. So no gateway can name another
    /// one's pages, even if it saw their names; and what a device computed wrongly goes no further than through sessions that go through it anyhow.
    /// </summary>
    public static Digest Of(OpenSession open)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> numbers = stackalloc byte[2 * sizeof(int)];
        Append(hash, $"efedllm kept pages 1 {open.Route.Model.Value} {open.Pipeline.Path.Address}");
        for (var hop = 0; hop <= open.HopIndex; hop++)
        {
            var (device, range, _) = open.Route.Hops[hop];
            Append(hash, device.Value);
            BinaryPrimitives.WriteInt32BigEndian(numbers, range.First);
            BinaryPrimitives.WriteInt32BigEndian(numbers[sizeof(int)..], range.End);
            hash.AppendData(numbers);
        }

        return Digest.Read(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, string text) => hash.AppendData(Encoding.UTF8.GetBytes(text));
}
