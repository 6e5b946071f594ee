using System.Globalization;

namespace EFedLLM.Transformer.Kernels;

/// <summary>The caches of a processor core, in bytes, as the system tells them.</summary>
/// <param name="Level1">Data of the first level, a core's own.</param>
/// <param name="Level2">The second level, a core's own.</param>
/// <param name="Level3">The third level, which cores share; 0 where there is none.</param>
/// <param name="AreRead">Whether the system told them; else they are <see cref="Assumed"/>.</param>
public sealed record CacheSizes(long Level1, long Level2, long Level3, bool AreRead)
{
    private const string LinuxFolder = "/sys/devices/system/cpu/cpu0/cache";
    private const int MostCaches = 16;
    private const int MostText = 32;

    // A virtual machine may tell anything: no core has less or more than these.
    private const long Least = 4 << 10;
    private const long Most = 1 << 30;

    /// <summary>What every processor of the last ten years has at least.</summary>
    public static CacheSizes Assumed { get; } = new(32 << 10, 256 << 10, 4 << 20, false);

    /// <summary>Those of the processor that this process began on.</summary>
    public static CacheSizes Here { get; } = Read(LinuxFolder);

    /// <summary>Reads what Linux tells of a core's caches.</summary>
    /// <param name="folder">The core's folder, with one folder for each cache.</param>
    /// <returns>Its sizes, or <see cref="Assumed"/> where the first two levels are not told or cannot be true.</returns>
    internal static CacheSizes Read(string folder)
    {
        var levels = new long[4];
        for (var i = 0; i < MostCaches; i++)
        {
            var cache = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"index{i}"));
            if (Line(cache, "level") is { Length: 1 } level && level[0] is >= '1' and <= '3' && Line(cache, "type") is "Data" or "Unified" && Bytes(Line(cache, "size")) is { } bytes)
            {
                levels[level[0] - '0'] = bytes;
            }
        }

        return levels[1] > 0 && levels[2] > 0 ? new CacheSizes(levels[1], levels[2], levels[3], true) : Assumed;
    }

    private static long? Bytes(string? text)
    {
        if (text is not { Length: > 1 } || !long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }

        var unit = text[^1] switch { 'K' => 1L << 10, 'M' => 1L << 20, _ => 0 };
        return number <= Most && number * unit is >= Least and <= Most ? number * unit : null;
    }

    private static string? Line(string folder, string file)
    {
        try
        {
            using var reader = new StreamReader(Path.Combine(folder, file));
            var buffer = new char[MostText];
            return new string(buffer, 0, reader.ReadBlock(buffer)).Trim();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
