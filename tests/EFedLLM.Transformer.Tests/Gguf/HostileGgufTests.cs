using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Checkpoints.Gguf;
using EFedLLM.Transformer.Tests.Blocks;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Gguf;

public sealed class HostileGgufTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Damaged_files_are_read_or_refused_clearly()
    {
        using var checkpoint = new RandomCheckpoint(51, ("hidden_size", "32"), ("vocab_size", "8"), ("intermediate_size", "32"), ("num_hidden_layers", "1"));
        var bytes = Vocabulary(GgufExport.Write(checkpoint.Source, "llama", GgufType.Q8_0).File).ToArray();
        HostileFiles.Sample(bytes, Use, iterations: 1500);
    }

    [Fact]
    public void A_damaged_front_is_read_or_refused_clearly()
    {
        // Nearly all of this file stands in front of its data, so most damage hits a length, a count or a type.
        var bytes = Vocabulary(new GgufWriter().Add("a", 1u).Add("b", [1f, 2f]).Add("c", "text").Raw("d", GgufValueType.Array, Nested(2)))
            .AddTensor("x", (uint)GgufType.Q4_0, [2, 32], new byte[36]).AddTensor("y", (uint)GgufType.F32, [3], new byte[12]).ToArray();
        HostileFiles.Sample(bytes, damaged =>
        {
            using var file = GgufFile.Open(_folder.Write("x.gguf", damaged));
            foreach (var tensor in file.Ordered.Where(tensor => tensor.HoldsWeights))
            {
                file.ReadFloat32(tensor, new float[tensor.Elements]);
            }
        });
    }

    [Fact]
    public void A_file_that_is_cut_short_anywhere_is_refused()
    {
        var bytes = Vocabulary(new GgufWriter().Add("b", [1f, 2f])).AddTensor("x", (uint)GgufType.Q4_0, [2, 32], new byte[64]).ToArray();
        for (var length = 0; length < bytes.Length - 28; length++)
        {
            var message = Assert.Throws<InvalidDataException>(() => Open(bytes[..length])).Message;
            Assert.Contains("x.gguf", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Other_formats_versions_and_byte_orders_are_refused_by_what_they_are()
    {
        Assert.Contains("GGUF", Refused<InvalidDataException>(writer => writer.Magic = 0x67676A74), StringComparison.Ordinal);
        Assert.Contains("version 1", Refused<NotSupportedException>(writer => writer.Version = 1), StringComparison.Ordinal);
        Assert.Contains("version 4", Refused<NotSupportedException>(writer => writer.Version = 4), StringComparison.Ordinal);
        Assert.Contains("big-endian", Refused<NotSupportedException>(writer => writer.Version = 3u << 24), StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => GgufFile.Open(_folder.File("nowhere.gguf")));
    }

    [Fact]
    public void Lies_are_refused_by_what_they_are_about()
    {
        AssertRefused("tensors", writer => writer.TensorCount = ulong.MaxValue);
        AssertRefused("metadata values", writer => writer.ValueCount = 1UL << 40);
        AssertRefused("not a whole GGUF file", writer => writer.ValueCount = 5000);
        AssertRefused("\"k\" twice", writer => writer.Again("k", GgufValueType.Bool, value => value.Write(true)));
        AssertRefused("\"bad\" is of type 13", writer => writer.Raw("bad", (GgufValueType)13, value => value.Write(1)));
        AssertRefused("\"bad\"", writer => writer.Raw("bad", GgufValueType.String, value => value.Write(ulong.MaxValue)));
        AssertRefused("\"bad\"", writer => writer.Raw("bad", GgufValueType.Array, Claim(GgufValueType.UInt64, 1UL << 61)));
        AssertRefused("\"bad\"", writer => writer.Raw("bad", GgufValueType.Array, Claim(GgufValueType.String, ulong.MaxValue)));
        AssertRefused("\"bad\"", writer => writer.Raw("bad", GgufValueType.Array, Claim(GgufValueType.Array, 1UL << 50)));
        AssertRefused("deep", writer => writer.Raw("bad", GgufValueType.Array, Nested(40)));
        AssertRefused("general.alignment", writer => writer.Add("general.alignment", 24u));
        AssertRefused("general.alignment", writer => writer.Add("general.alignment", 0u));
        AssertRefused("general.alignment", writer => writer.Add("general.alignment", "32"));
        AssertRefused("not UTF-8", writer => writer.AddTensor("\uD800", 0, [1], new byte[4]), bytes => bytes.AsSpan().Replace((byte)0xBD, (byte)0xFF));
        AssertRefused("\"x\" twice", writer => writer.AddTensor("x", 0, [1], new byte[4]));
        AssertRefused("no name", writer => writer.AddTensor("", 0, [1], new byte[4]));
        AssertRefused("\"z\" is of type 4", writer => writer.AddTensor("z", 4, [1], new byte[4]));
        AssertRefused("\"z\" has 5 dimensions", writer => writer.AddTensor("z", 0, [1, 1, 1, 1, 1], new byte[4]));
        AssertRefused("\"z\" has a dimension", writer => writer.AddTensor("z", 0, [-1], new byte[4]));
        AssertRefused("\"z\" claims more values", writer => writer.AddTensor("z", 0, [1L << 40, 1L << 40], new byte[4]));
        AssertRefused("\"z\" claims more bytes", writer => writer.AddTensor("z", 0, [1L << 62], new byte[4]));
        AssertRefused("\"z\" ends behind", writer => writer.AddTensor("z", 0, [1L << 40], new byte[4]));
        AssertRefused("blocks of 256", writer => writer.AddTensor("z", (uint)GgufType.Q4_K, [2, 128], new byte[144]));
        AssertRefused("\"z\" begins at 33", writer => writer.AddTensor("z", 0, [1], new byte[4]).Offsets["z"] = 33);
        AssertRefused("\"z\" begins at", writer => writer.AddTensor("z", 0, [1], new byte[4]).Offsets["z"] = ulong.MaxValue - 31);
        AssertRefused("\"z\" ends behind", writer => writer.AddTensor("z", 0, [1], new byte[4]).Offsets["z"] = long.MaxValue - 31);
        AssertRefused("overlaps", writer => writer.AddTensor("z", 0, [32], new byte[128]).Offsets["z"] = 0);

        void AssertRefused(string what, Action<GgufWriter> lie, Action<byte[]>? damage = null)
        {
            var message = Refused<InvalidDataException>(lie, damage);
            Assert.Contains(what, message, StringComparison.Ordinal);
            Assert.Contains("x.gguf", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("blk.0.ffn_down.weight", 0)]
    [InlineData("token_embd.weight", 34)]
    public void A_scale_that_is_no_number_is_refused_by_the_tensor_s_name(string name, int at)
    {
        using var checkpoint = new RandomCheckpoint(52, ("hidden_size", "32"), ("vocab_size", "8"), ("intermediate_size", "32"), ("num_hidden_layers", "1"));
        foreach (var value in new[] { Half.NaN, Half.PositiveInfinity, Half.NegativeInfinity })
        {
            var bytes = GgufExport.Write(checkpoint.Source, "llama", GgufType.Q8_0).File.ToArray();
            using (var file = GgufFile.Open(_folder.Write("x.gguf", bytes)))
            {
                BitConverter.TryWriteBytes(bytes.AsSpan((int)file.Tensors[name].Offset + at), value);
            }

            using var model = Checkpoint.Open(_folder.Write("x.gguf", bytes));
            var message = Assert.Throws<InvalidDataException>(() =>
            {
                model.LoadEmbedding();
                model.LoadLayer(0);
            }).Message;
            Assert.Contains($"\"{name}\"", message, StringComparison.Ordinal);
            Assert.Contains("not finite", message, StringComparison.Ordinal);
        }
    }

    private static GgufWriter Vocabulary(GgufWriter writer) => writer
        .Add("tokenizer.ggml.model", "llama")
        .Add("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>", "\u2581", "a", "b", "ab", "\u2581ab"])
        .Add("tokenizer.ggml.scores", [0f, 0f, 0f, -3f, -4f, -5f, -1f, -2f])
        .Add("tokenizer.ggml.token_type", [2, 3, 3, 1, 1, 1, 1, 1])
        .Add("tokenizer.ggml.eos_token_id", 2u)
        .Add("tokenizer.chat_template", "{{ messages }}");

    private static Action<BinaryWriter> Claim(GgufValueType element, ulong count) => writer =>
    {
        writer.Write((uint)element);
        writer.Write(count);
    };

    private static Action<BinaryWriter> Nested(int depth) => writer =>
    {
        for (var i = 0; i < depth; i++)
        {
            Claim(GgufValueType.Array, 1)(writer);
        }

        Claim(GgufValueType.UInt8, 2)(writer);
        writer.Write("ab"u8);
    };

    private void Use(byte[] bytes)
    {
        var path = _folder.Write("x.gguf", bytes);
        using (var model = Checkpoint.Open(path))
        {
            model.LoadEmbedding();
            model.LoadLayer(0);
            model.LoadHead();
        }

        ModelTokenizer.Load(path).Encode("ab ab");
        try
        {
            ChatTemplate.Recognise(path);
        }
        catch (NotSupportedException error) when (error.Message.Contains("--chat-template", StringComparison.Ordinal))
        {
            // That the template of this file is none of the known ones is known.
        }
    }

    private void Open(byte[] bytes)
    {
        using var file = GgufFile.Open(_folder.Write("x.gguf", bytes));
    }

    private string Refused<T>(Action<GgufWriter> lie, Action<byte[]>? damage = null)
        where T : Exception
    {
        var writer = new GgufWriter().Add("k", 1u).AddTensor("x", 0, [32], new byte[128]);
        lie(writer);
        var bytes = writer.ToArray();
        damage?.Invoke(bytes);
        return Assert.Throws<T>(() => Open(bytes)).Message;
    }
}
