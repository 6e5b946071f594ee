using System.Numerics;
using System.Runtime.InteropServices;

namespace EFedLLM.Compression;

/// <summary>The generator SplitMix64 (Steele, Lea and Flood, 2014), the same on every machine: eight random bytes for two multiplications and a few shifts.</summary>
internal sealed class SplitMix(ulong seed)
{
    private const ulong Increment = 0x9E3779B97F4A7C15;
    private ulong _state = seed;

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        var mixed = _state += Increment;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    /// <summary>Fills a block with numbers in -most to most.</summary>
    public void Fill(Span<sbyte> block, int most)
    {
        // A number takes 16 random bits, so that none is likelier than another by more than 2^-16.
        const int Each = 16;
        for (var i = 0; i < block.Length;)
        {
            var bits = Next();
            for (var end = Math.Min(i + 64 / Each, block.Length); i < end; i++, bits >>= Each)
            {
                block[i] = (sbyte)((int)((uint)(bits & 0xFFFF) * (uint)(2 * most + 1) >> Each) - most);
            }
        }
    }

    /// <summary>Fills a block with numbers in -127 to 127.</summary>
    public void Fill(Span<sbyte> block)
    {
        var words = MemoryMarshal.Cast<sbyte, ulong>(block);
        for (var i = 0; i < words.Length; i++)
        {
            words[i] = Next();
        }

        var rest = block[(words.Length * sizeof(ulong))..];
        for (var i = 0; i < rest.Length; i++)
        {
            rest[i] = (sbyte)Next();
        }

        // -128 has no counterpart: it becomes the number next to it.
        var least = new Vector<sbyte>(-127);
        var vectors = MemoryMarshal.Cast<sbyte, Vector<sbyte>>(block);
        for (var i = 0; i < vectors.Length; i++)
        {
            vectors[i] = Vector.Max(vectors[i], least);
        }

        foreach (ref var value in block[(vectors.Length * Vector<sbyte>.Count)..])
        {
            value = Math.Max(value, (sbyte)-127);
        }
    }
}
