using System.Collections.Immutable;
using CsCheck;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Checkpoints;

public sealed class SafetensorsWriterTests
{
    [Fact]
    public void What_is_written_is_read_back_and_aligned() => Gen.Select(
        Gen.Select(Gen.Enum<SafetensorsType>(), Gen.Long[0, 7].Array[0, 3]).Array[0, 6], Gen.Int[1, 97]).Sample((shapes, piece) =>
        {
            using var folder = new ScratchFolder();
            var tensors = shapes.Select((tensor, i) => ($"layer.{i}.\u03B1\"", tensor.Item1, tensor.Item2.ToImmutableArray())).ToArray();
            using (var stream = File.Create(folder.File("x.safetensors")))
            {
                var writer = new SafetensorsWriter(stream, tensors);
                while (writer.Current is { } current)
                {
                    for (var written = 0L; written < current.Bytes; written += piece)
                    {
                        writer.Write(Enumerable.Range((int)written, (int)Math.Min(piece, current.Bytes - written)).Select(at => Content(current.Name, at)).ToArray());
                    }
                }

                writer.Finish();
            }

            using var file = SafetensorsFile.Open(folder.File("x.safetensors"));
            foreach (var (name, type, shape) in tensors)
            {
                var read = file.Tensors[name];
                Assert.Equal(type, read.Type);
                Assert.Equal(shape.ToArray(), read.Shape.ToArray());
                Assert.Equal(0, read.Offset % SafetensorsWriter.Alignment);
                Assert.Equal(Enumerable.Range(0, (int)read.Bytes).Select(at => Content(name, at)), file.Bytes(name).ToArray());
            }

            Assert.All(file.Ordered, tensor => Assert.True(tensor.Name.StartsWith("layer", StringComparison.Ordinal) || file.Bytes(tensor.Name).IndexOfAnyExcept((byte)0) < 0));
        }, iter: 60);

    [Fact]
    public void Too_much_and_too_little_data_are_refused()
    {
        var writer = new SafetensorsWriter(new MemoryStream(), [("a", SafetensorsType.F32, [2])]);

        Assert.Throws<ArgumentException>(() => writer.Write(new byte[9]));
        writer.Write(new byte[7]);
        Assert.Throws<InvalidOperationException>(writer.Finish);
        writer.Write(new byte[1]);
        writer.Finish();
        Assert.Throws<ArgumentException>(() => writer.Write(new byte[1]));
    }

    [Fact]
    public void Reserved_and_doubled_names_and_impossible_shapes_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(new MemoryStream(), [("__pad_0", SafetensorsType.U8, [1])]));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(new MemoryStream(), [("a", SafetensorsType.U8, [1]), ("a", SafetensorsType.U8, [1])]));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(new MemoryStream(), [("a", SafetensorsType.F64, [1L << 40, 1L << 40])]));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(new MemoryStream(), [("a", SafetensorsType.F64, [-1])]));
    }

    private static byte Content(string name, int at) => (byte)(name.Length + 31 * name[6] + at);
}
