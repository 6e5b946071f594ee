using System.Buffers.Binary;
using System.Text;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Checkpoints;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tensors_are_read_where_the_header_says()
    {
        using var file = SafetensorsFile.Open(Raw(
            """{"__metadata__":{"format":"pt"},"b":{"dtype":"I8","shape":[3],"data_offsets":[8,11]},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}""",
            [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 1, 2, 0xFF]));

        Assert.Equal(["a", "b"], file.Ordered.Select(tensor => tensor.Name));
        Assert.Equal([2L, 1L], file.Tensors["a"].Shape.ToArray());
        Assert.Equal(SafetensorsType.I8, file.Tensors["b"].Type);
        Assert.Equal(new byte[] { 1, 2, 0xFF }, file.Bytes("b").ToArray());
        var values = new float[2];
        file.ReadFloat32("a", values);
        Assert.Equal([1f, -2f], values);
        var last = new float[1];
        file.ReadFloat32("a", last, first: 1);
        Assert.Equal([-2f], last);
    }

    [Fact]
    public void A_single_value_and_an_empty_tensor_are_allowed()
    {
        using var file = SafetensorsFile.Open(Raw(
            """{"one":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"none":{"dtype":"F32","shape":[4,0],"data_offsets":[0,0]}}  """, [7]));

        Assert.Equal(1, file.Tensors["one"].Elements);
        Assert.Equal(0, file.Bytes("none").Length);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "bytes of data")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "behind the end of the file")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5, "belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "gap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}""", 5, "overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "twice")]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}""", 4, "data type")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""", 0, "bytes of data")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,9223372036854775804]}}""", 0, "bytes of data")]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}""", 0, "end")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}""", 0, "number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "before it begins")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""", 4, "more than 2")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", 4, "more than 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "lacks")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1}}""", 4, "does not know")]
    [InlineData("""{"a":[1]}""", 4, "JSON object")]
    [InlineData("""["a"]""", 4, "JSON object")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} {}""", 4, "JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}""", 4, "JSON")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "__metadata__")]
    [InlineData("", 0, "JSON")]
    public void A_header_that_does_not_fit_its_data_is_refused(string header, int dataLength, string reason)
    {
        var error = Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(Raw(header, new byte[dataLength])));

        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Contains("test.safetensors", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(100_000_001UL)]
    [InlineData(3UL)]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 63)]
    public void A_header_length_beyond_the_file_or_the_format_is_refused(ulong length)
    {
        var bytes = new byte[10];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        var path = _folder.Write("test.safetensors", bytes);

        var error = Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path));

        Assert.Contains($"claims {length} bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_and_a_missing_file_are_refused()
    {
        Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(_folder.Write("empty.safetensors", [])));
        Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(_folder.File("none.safetensors")));
    }

    [Fact]
    public void Every_half_precision_value_widens_exactly()
    {
        var data = new byte[2 * 65536];
        for (var i = 0; i < 65536; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(2 * i), (ushort)i);
        }

        var values = new float[65536];
        using (var file = SafetensorsFile.Open(Raw("""{"a":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]}}""", data)))
        {
            file.ReadFloat32("a", values);
        }

        Assert.All(Enumerable.Range(0, 65536), i => Assert.Equal((float)BitConverter.UInt16BitsToHalf((ushort)i), values[i]));
        using (var file = SafetensorsFile.Open(Raw("""{"a":{"dtype":"BF16","shape":[65536],"data_offsets":[0,131072]}}""", data)))
        {
            file.ReadFloat32("a", values);
        }

        Assert.All(Enumerable.Range(0, 65536), i => Assert.Equal(BitConverter.UInt32BitsToSingle((uint)i << 16), values[i]));
    }

    [Fact]
    public void Reading_outside_a_tensor_or_as_another_type_is_refused()
    {
        using var file = SafetensorsFile.Open(Raw("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[1],"data_offsets":[4,5]}}""", new byte[5]));

        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadFloat32("a", new float[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadFloat32("a", new float[1], first: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadFloat32("a", new float[1], first: long.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadFloat32("a", [], first: -1));
        Assert.Throws<InvalidDataException>(() => file.ReadFloat32("b", new float[1]));
        Assert.Throws<InvalidDataException>(() => file.ReadFloat32("c", new float[1]));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { file.Bytes("a"); });
    }

    [SharedFact]
    public void A_published_file_is_read()
    {
        using var file = SafetensorsFile.Open(Path.Combine(SharedModels.Model("stories260K"), "model.safetensors"));

        Assert.Equal(260_032, file.Ordered.Sum(tensor => tensor.Elements));
    }

    private string Raw(string header, ReadOnlySpan<byte> data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + json.Length + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, json.Length);
        json.CopyTo(bytes, 8);
        data.CopyTo(bytes.AsSpan(8 + json.Length));
        return _folder.Write("test.safetensors", bytes);
    }
}
