using EFedLLM.Transformer.Checkpoints.Gguf;
using EFedLLM.Transformer.Tests.Checkpoints;

namespace EFedLLM.Transformer.Tests.Gguf;

public sealed class GgufDecoderTests
{
    public static TheoryData<string> Types { get; } = new(Enum.GetNames<GgufType>());

    /// <summary>Any bytes are some block; only the float16s among them are kept from being no numbers.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void Any_blocks_have_the_values_of_the_plain_formulas_to_the_last_bit(string name)
    {
        const int Seed = 71;
        const int Blocks = 300;
        var type = Enum.Parse<GgufType>(name);
        var bytes = PlainBlocks.Bytes(type);
        var data = new byte[Blocks * bytes];
        new Random(Seed).NextBytes(data);
        foreach (var at in Enumerable.Range(0, Blocks).SelectMany(block => HighBytes(type).Select(high => block * bytes + high)))
        {
            data[at] &= 0xBF;
        }

        var values = new float[Blocks * PlainBlocks.Elements(type)];
        GgufDecoder.Decode(type, data, values);

        AssertSame(PlainBlocks.Decode(type, data), values, Seed);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Rounded_weights_come_back_near_themselves(string name)
    {
        var type = Enum.Parse<GgufType>(name);
        var random = new Random(72);
        var weights = Enumerable.Range(0, 1024).Select(_ => (float)((random.NextDouble() - 0.4) * 3)).ToArray();
        var values = new float[weights.Length];

        GgufDecoder.Decode(type, BlockWriter.Encode(type, weights), values);

        var step = type switch
        {
            GgufType.F32 => 0,
            GgufType.F16 => 1e-3,
            GgufType.BF16 or GgufType.Q8_0 => 0.015,
            GgufType.Q6_K => 0.06,
            GgufType.Q5_0 or GgufType.Q5_1 or GgufType.Q5_K => 0.1,
            _ => 0.2,
        };
        Assert.All(weights.Zip(values), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= step, $"{pair.First} became {pair.Second}."));
        Assert.True(step == 0 || weights.Zip(values).Any(pair => pair.First != pair.Second));
    }

    [Fact]
    public void Part_of_a_tensor_is_read_from_any_block_on()
    {
        using var folder = new ScratchFolder();
        var data = BlockWriter.Encode(GgufType.Q4_K, [.. Enumerable.Range(0, 2048).Select(i => MathF.Sin(i))]);
        var path = folder.Write("x.gguf", new GgufWriter().AddTensor("a", (uint)GgufType.Q8_0, [32], new byte[34]).AddTensor("b", (uint)GgufType.Q4_K, [4, 512], data).ToArray());
        using var file = GgufFile.Open(path);
        var tensor = file.Tensors["b"];
        Assert.Equal([4, 512], tensor.Shape.AsEnumerable());
        var expected = PlainBlocks.Decode(GgufType.Q4_K, data);

        var part = new float[768];
        file.ReadFloat32(tensor, part, 1024);

        AssertSame(expected[1024..1792], part, 0);
        Assert.Throws<ArgumentException>(() => file.ReadFloat32(tensor, part, 1100));
        Assert.Throws<ArgumentException>(() => file.ReadFloat32(tensor, part, 1536));
        Assert.Throws<ArgumentException>(() => file.ReadFloat32(tensor, new float[100]));
    }

    private static void AssertSame(float[] expected, float[] actual, int seed)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(expected[i] == actual[i] || (float.IsNaN(expected[i]) && float.IsNaN(actual[i])), $"value {i} is {actual[i]} instead of {expected[i]} (seed {seed})");
        }
    }

    /// <summary>Where the upper bytes of a block's float16s are: without their second highest bit they are below 2.</summary>
    private static int[] HighBytes(GgufType type) => type switch
    {
        GgufType.F32 => [3],
        GgufType.F16 or GgufType.BF16 or GgufType.Q4_0 or GgufType.Q5_0 or GgufType.Q8_0 => [1],
        GgufType.Q6_K => [209],
        _ => [1, 3],
    };
}
