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

    [Fact]
    public void What_the_processor_tells_itself_is_ways_times_partitions_times_line_times_sets()
    {
        // 48 KiB of data in 12 ways, 32 KiB of instructions, 1 MiB in 16, 32 MiB in 16: lines of 64 bytes.
        Assert.Equal(
            new CacheSizes(48 << 10, 1 << 20, 32 << 20, true),
            CacheSizes.Told(i => i switch
            {
                0 => ((1 << 5) | 1, (11 << 22) | 63, 63),
                1 => ((1 << 5) | 2, (7 << 22) | 63, 63),
                2 => ((2 << 5) | 3, (15 << 22) | 63, 1023),
                3 => ((3 << 5) | 3, (15 << 22) | 63, 32767),
                _ => default,
            }));
    }

    [Theory]
    [InlineData(0x300c0140, 0x04006140, 0x0fe09140, 48, 1024, 508 << 10)]
    [InlineData(0x20080140, 0x02006140, 0x00400140, 32, 512, 8 << 10)]
    [InlineData(0x20080140, 0x02006140, 0, 32, 512, 0)]
    [InlineData(0x20080140, 0x02006140, -1, 32, 512, 0)]
    public void What_an_older_function_tells_is_taken_too(int first, int second, int third, long level1, long level2, long level3) =>
        Assert.Equal(new CacheSizes(level1 << 10, level2 << 10, level3 << 10, true), CacheSizes.Told(first, second, third));

    [Theory]
    [InlineData(0, 0x02006140)]
    [InlineData(0x20080140, 0)]
    [InlineData(0x20080140, 0x0001ffff)]
    public void Where_an_older_function_leaves_out_a_level_nothing_is_told(int first, int second) => Assert.Null(CacheSizes.Told(first, second, 0));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, -1)]
    [InlineData(63, 0)]
    [InlineData(63, -1)]
    public void What_a_processor_cannot_have_is_not_believed(int ebx, int ecx)
    {
        Assert.Null(CacheSizes.Told(i => i < 2 ? (((i + 1) << 5) | 3, ebx, ecx) : default));
        Assert.Null(CacheSizes.Told(_ => (-1, ebx, ecx)));
    }

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
