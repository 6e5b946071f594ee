using System.Buffers.Binary;
using System.Text;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Checkpoints.Gguf;

namespace EFedLLM.Benchmarks;

/// <summary>
/// A GGUF file of random weights in a known shape, all matrices in blocks of one type and without a vocabulary: what a peer that reads such
/// files is timed on. Blocks are those of ggml's <c>docs/gguf.md</c> and <c>ggml-common.h</c>; a peer reads as many bits per weight as our
/// own random models of 8 and of 4 bits have, in the head too.
/// </summary>
internal static class RandomGguf
{
    private const int Alignment = 32;
    private const int BlockValues = 32;
    private const int Seed = 1;
    private const uint Version = 3;

    // The numbers that llama.cpp knows whole files by.
    private const uint MostlyFourBits = 2;
    private const uint MostlyEightBits = 7;

    /// <summary>Writes the file, row by row.</summary>
    /// <param name="shape">The shape, its widths multiples of 32.</param>
    /// <param name="type"><c>q8_0</c> or <c>q4_0</c>.</param>
    /// <param name="path">The file, overwritten.</param>
    /// <exception cref="ArgumentException">It is another type.</exception>
    public static void Write(ModelShape shape, string type, string path)
    {
        var (form, bits, file) = type switch
        {
            "q8_0" => (GgufType.Q8_0, 8, MostlyEightBits),
            "q4_0" => (GgufType.Q4_0, 4, MostlyFourBits),
            _ => throw new ArgumentException($"Weights are written as q8_0 or q4_0, not as {type}.", nameof(type)),
        };
        var tensors = Enumerable.Range(0, shape.Units).SelectMany(unit => CheckpointLayout.Tensors(shape, unit)).DistinctBy(tensor => tensor.Name).ToList();
        using var stream = File.Create(path);
        using var writer = new BinaryWriter(stream);
        WriteHeader(writer, shape, file, tensors, form);
        var random = new Random(Seed);
        foreach (var (_, dimensions) in tensors)
        {
            WriteData(writer, dimensions, bits, random);
            Align(writer);
        }
    }

    private static void WriteHeader(BinaryWriter writer, ModelShape shape, uint fileType, List<(string Name, int[] Shape)> tensors, GgufType form)
    {
        (string Key, object Value)[] facts =
        [
            (GgufConfig.Architecture, "llama"),
            ("general.file_type", fileType),
            ("llama.vocab_size", (uint)shape.VocabularySize),
            ("llama.context_length", (uint)shape.ContextLength),
            ("llama.embedding_length", (uint)shape.HiddenSize),
            ("llama.feed_forward_length", (uint)shape.IntermediateSize),
            ("llama.block_count", (uint)shape.Layers),
            ("llama.attention.head_count", (uint)shape.Heads),
            ("llama.attention.head_count_kv", (uint)shape.KeyValueHeads),
            ("llama.rope.dimension_count", (uint)shape.HeadSize),
            ("llama.rope.freq_base", (float)shape.Rope.Theta),
            ("llama.attention.layer_norm_rms_epsilon", shape.NormEpsilon),
            (GgufVocabulary.ModelKey, "no_vocab"),
        ];
        writer.Write("GGUF"u8);
        writer.Write(Version);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)facts.Length);
        foreach (var (key, value) in facts)
        {
            WriteText(writer, key);
            WriteValue(writer, value);
        }

        var offset = 0UL;
        foreach (var (name, dimensions) in tensors)
        {
            var type = dimensions.Length == 1 ? GgufType.F32 : form;
            WriteText(writer, GgufNames.Of(name)!);
            writer.Write((uint)dimensions.Length);
            foreach (var dimension in dimensions.Reverse())
            {
                writer.Write((ulong)dimension);
            }

            writer.Write((uint)type);
            writer.Write(offset);
            offset += (ulong)ManifestLayout.RoundUp(BytesOf(type, dimensions), Alignment);
        }

        Align(writer);
    }

    private static void WriteValue(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case string text:
                writer.Write((uint)GgufValueType.String);
                WriteText(writer, text);
                break;
            case float number:
                writer.Write((uint)GgufValueType.Float32);
                writer.Write(number);
                break;
            default:
                writer.Write((uint)GgufValueType.UInt32);
                writer.Write((uint)value);
                break;
        }
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static int BytesOf(GgufType type, int[] dimensions)
    {
        var layout = GgufTypes.Of(type);
        return dimensions.Aggregate(1, (product, dimension) => checked(product * dimension)) / layout.Elements * layout.Bytes;
    }

    /// <summary>Gains of one, and matrices of whole numbers whose scale keeps the size of activations from layer to layer.</summary>
    private static void WriteData(BinaryWriter writer, int[] dimensions, int bits, Random random)
    {
        if (dimensions.Length == 1)
        {
            for (var i = 0; i < dimensions[0]; i++)
            {
                writer.Write(1f);
            }

            return;
        }

        // Whole numbers uniform in 2^bits values have a standard deviation of 2^bits / √12.
        var scale = (Half)(Math.Sqrt(12) / (1 << bits) / Math.Sqrt(dimensions[1]));
        var block = new byte[sizeof(ushort) + BlockValues * bits / 8];
        BinaryPrimitives.WriteUInt16LittleEndian(block, BitConverter.HalfToUInt16Bits(scale));
        for (var blocks = (long)dimensions[0] * (dimensions[1] / BlockValues); blocks > 0; blocks--)
        {
            random.NextBytes(block.AsSpan(sizeof(ushort)));
            writer.Write(block);
        }
    }

    private static void Align(BinaryWriter writer)
    {
        while (writer.BaseStream.Position % Alignment != 0)
        {
            writer.Write((byte)0);
        }
    }
}
