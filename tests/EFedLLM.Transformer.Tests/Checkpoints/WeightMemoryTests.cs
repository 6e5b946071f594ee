using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Checkpoints;

public sealed class WeightMemoryTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData((2 << 20) + 1)]
    [InlineData((4 << 20) - 1)]
    public unsafe void It_holds_every_byte_of_a_file_that_may_then_go(int length)
    {
        var bytes = new byte[length];
        new Random(5).NextBytes(bytes);
        var path = _folder.Write("weights", bytes);
        using var memory = WeightMemory.Read(path, length);
        File.Delete(path);

        byte* start = null;
        memory.AcquirePointer(ref start);
        Assert.True(bytes.AsSpan().SequenceEqual(new ReadOnlySpan<byte>(start, length)));
        memory.ReleasePointer();
    }

    [Fact]
    public void A_file_that_shrank_is_refused()
    {
        var path = _folder.Write("weights", new byte[100]);
        Assert.Contains("became shorter", Assert.Throws<EndOfStreamException>(() => WeightMemory.Read(path, 101)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 75, 100, true)]
    [InlineData(0, 76, 100, false)]
    [InlineData(70, 5, 100, true)]
    [InlineData(70, 6, 100, false)]
    public void A_quarter_of_the_memory_is_left_to_others(long held, long length, long available, bool fits) =>
        Assert.Equal(fits, WeightMemory.Fits(held, length, available));

    public void Dispose() => _folder.Dispose();
}
