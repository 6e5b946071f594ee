using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Tests.Kernels;

public sealed class CacheSizesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-caches-").FullName;

    [Fact]
    public void Three_levels_are_read_and_instructions_are_passed_over()
    {
        Write("index0", "1\n", "Instruction\n", "64K\n");
        Write("index1", "1\n", "Data\n", "32K\n");
        Write("index2", "2\n", "Unified\n", "512K\n");
        Write("index3", "3\n", "Unified\n", "32M\n");
        Assert.Equal(new CacheSizes(32 << 10, 512 << 10, 32 << 20, true), CacheSizes.Read(_folder));
    }

    [Fact]
    public void A_processor_without_a_third_level_has_none()
    {
        Write("index0", "1", "Data", "64K");
        Write("index1", "2", "Unified", "2M");
        Assert.Equal(new CacheSizes(64 << 10, 2 << 20, 0, true), CacheSizes.Read(_folder));
    }

    [Theory]
    [InlineData("2", "Unified", "0K")]
    [InlineData("2", "Unified", "1K")]
    [InlineData("2", "Unified", "512")]
    [InlineData("2", "Unified", "-512K")]
    [InlineData("2", "Unified", "99999999999999999999K")]
    [InlineData("2", "Unified", "9223372036854775807K")]
    [InlineData("2", "Unified", "2048M")]
    [InlineData("2", "Unified", "K")]
    [InlineData("2", "Unified", "")]
    [InlineData("2", "Instruction", "512K")]
    [InlineData("9", "Unified", "512K")]
    [InlineData("", "Unified", "512K")]
    public void What_cannot_be_true_is_not_believed(string level, string type, string size)
    {
        Write("index0", "1", "Data", "32K");
        Write("index1", level, type, size);
        Assert.Equal(CacheSizes.Assumed, CacheSizes.Read(_folder));
    }

    [Fact]
    public void Where_the_system_says_nothing_sizes_are_assumed() => Assert.Equal(CacheSizes.Assumed, CacheSizes.Read(Path.Combine(_folder, "none")));

    [Theory]
    [InlineData(256, 612, 192)]
    [InlineData(512, 612, 256)]
    [InlineData(512, 2048, 128)]
    [InlineData(512, 5632, 64)]
    [InlineData(1024, 5632, 64)]
    [InlineData(2048, 5632, 160)]
    [InlineData(4, 1 << 20, 64)]
    [InlineData(1 << 20, 1, 256)]
    public void A_window_fills_half_of_the_second_level(int kibibytes, int rowBytes, int rows) =>
        Assert.Equal(rows, new Blocking(CacheSizes.Assumed with { Level2 = (long)kibibytes << 10 }).WindowRows(rowBytes));

    [Theory]
    [InlineData(256, 32)]
    [InlineData(512, 64)]
    [InlineData(2048, 64)]
    public void Tiles_are_fetched_ahead_as_far_as_the_second_level_has_room(int kibibytes, int near) =>
        Assert.Equal(near << 10, new Blocking(CacheSizes.Assumed with { Level2 = kibibytes << 10 }).NearBytes);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Write(string cache, string level, string type, string size)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder, cache)).FullName;
        File.WriteAllText(Path.Combine(folder, "level"), level);
        File.WriteAllText(Path.Combine(folder, "type"), type);
        File.WriteAllText(Path.Combine(folder, "size"), size);
    }
}
