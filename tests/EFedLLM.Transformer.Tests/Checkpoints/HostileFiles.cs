using CsCheck;

namespace EFedLLM.Transformer.Tests.Checkpoints;

/// <summary>Damages files the way disks, networks and attackers do, and checks how a reader takes it.</summary>
internal static class HostileFiles
{
    /// <summary>What may be allocated for a damaged file: a few times the file, never by what it claims.</summary>
    private const long MaximumAllocation = 64L << 20;

    private static readonly byte[][] Insertions =
    [
        "null"u8.ToArray(), "-1"u8.ToArray(), "1e999"u8.ToArray(), "99999999999999999999"u8.ToArray(), "4294967296"u8.ToArray(), "\"\""u8.ToArray(),
        "[]"u8.ToArray(), "{}"u8.ToArray(), "true"u8.ToArray(), "\"\\ud800\""u8.ToArray(), [0xFF], [0, 0, 0, 0], [0x80, 0x80, 0x80, 0x80, 0x08],
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["u8.ToArray(),
    ];

    /// <summary>Reads many damaged forms of a file: each must be read, or be refused with an error that is meant for people.</summary>
    /// <param name="original">A file that can be read.</param>
    /// <param name="read">Reads it from its bytes.</param>
    /// <param name="iterations">How many forms.</param>
    public static void Sample(byte[] original, Action<byte[]> read, int iterations = 2000)
    {
        read(original);
        Damaged(original).Sample(
            bytes =>
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                try
                {
                    read(bytes);
                }
                catch (Exception error) when (error is InvalidDataException or NotSupportedException or FileNotFoundException)
                {
                    Assert.True(error.Message.Length > 20, $"\"{error.Message}\" says too little.");
                }

                var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                Assert.True(allocated <= MaximumAllocation, $"{allocated} bytes were allocated for a file of {bytes.Length}.");
            },
            iter: iterations,
            threads: 1,
            print: bytes => Convert.ToBase64String(bytes.AsSpan(0, Math.Min(bytes.Length, 4096))));
    }

    private static Gen<byte[]> Damaged(byte[] original)
    {
        var place = Gen.Int[0, original.Length - 1];
        var damage = Gen.OneOf<Func<byte[], byte[]>>(
            Gen.Select(place, Gen.Byte).Select((at, value) => (Func<byte[], byte[]>)(bytes => With(bytes, at, 1, [value]))),
            Gen.Select(place, Gen.Int[0, 7]).Select((at, bit) => (Func<byte[], byte[]>)(bytes => Flip(bytes, at, bit))),
            Gen.Select(place, Gen.Int[1, 64]).Select((at, count) => (Func<byte[], byte[]>)(bytes => With(bytes, at, count, []))),
            Gen.Select(place, Gen.Int[0, 8], Gen.Int[0, Insertions.Length - 1]).Select((at, count, what) => (Func<byte[], byte[]>)(bytes => With(bytes, at, count, Insertions[what]))),
            Gen.Select(place, place).Select((from, to) => (Func<byte[], byte[]>)(bytes => With(bytes, to, 0, bytes.AsSpan(Math.Min(from, bytes.Length)..Math.Min(from + 48, bytes.Length))))),
            place.Select(at => (Func<byte[], byte[]>)(bytes => bytes[..Math.Min(at, bytes.Length)])));
        return damage.Array[1, 3].Select(steps => steps.Aggregate(original, (bytes, step) => step(bytes)));
    }

    private static byte[] With(byte[] bytes, int at, int count, ReadOnlySpan<byte> replacement)
    {
        at = Math.Min(at, bytes.Length);
        return [.. bytes.AsSpan(0, at), .. replacement, .. bytes.AsSpan(Math.Min(at + count, bytes.Length))];
    }

    private static byte[] Flip(byte[] bytes, int at, int bit)
    {
        var copy = bytes.ToArray();
        if (copy.Length > 0)
        {
            copy[Math.Min(at, copy.Length - 1)] ^= (byte)(1 << bit);
        }

        return copy;
    }
}
