using System.Globalization;
using System.Runtime.Intrinsics.X86;

namespace EFedLLM.Transformer.Kernels;

/// <summary>The caches of a processor core, in bytes, as the system tells them, or else the processor itself.</summary>
/// <param name="Level1">Data of the first level, a core's own.</param>
/// <param name="Level2">The second level, a core's own.</param>
/// <param name="Level3">The third level, which cores share; 0 where there is none.</param>
/// <param name="AreRead">Whether they were told; else they are <see cref="Assumed"/>.</param>
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
    public static CacheSizes Here { get; } = Read(LinuxFolder) is { AreRead: true } told ? told : Ask() ?? Assumed;

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

        return Of(levels) ?? Assumed;
    }

    /// <summary>What a processor's CPUID instruction tells of its caches (Intel's manual, volume 2, leaf 4; AMD's, volume 3, function 8000_001D: the same form).</summary>
    /// <param name="leaf">The registers EAX, EBX and ECX for each cache from 0 on.</param>
    /// <returns>The sizes, or null where the first two levels are not told or cannot be true.</returns>
    internal static CacheSizes? Told(Func<int, (int Eax, int Ebx, int Ecx)> leaf)
    {
        const int NoCache = 0;
        const int Instructions = 2;
        var levels = new long[4];
        for (var i = 0; i < MostCaches && leaf(i) is var (eax, ebx, ecx) && (eax & 0x1f) is not NoCache and var kind; i++)
        {
            var (level, ways, parts, line, sets) = ((eax >>> 5) & 7, (ebx >>> 22) + 1L, ((ebx >>> 12) & 0x3ff) + 1L, (ebx & 0xfff) + 1L, (uint)ecx + 1L);
            if (kind != Instructions && level is >= 1 and <= 3 && ways * parts * line <= Most && sets <= Most && ways * parts * line * sets is >= Least and <= Most and var bytes)
            {
                levels[level] = bytes;
            }
        }

        return Of(levels);
    }

    /// <summary>What AMD's older functions tell, which virtual machines leave standing (volume 3, functions 8000_0005 and 8000_0006).</summary>
    /// <param name="first">ECX of the first: the first level.</param>
    /// <param name="second">ECX of the second: the second level.</param>
    /// <param name="third">EDX of the second: the third level of the whole processor.</param>
    /// <returns>The sizes, or null where the first two levels are not told or cannot be true.</returns>
    internal static CacheSizes? Told(int first, int second, int third)
        => Of([0, True((long)(first >>> 24) << 10), True((long)(second >>> 16) << 10), True((long)(third >>> 18) << 19)]);

    private static CacheSizes? Ask()
    {
        const int Intel = 4;
        const int Amd = unchecked((int)0x8000001d);
        const int AmdFirst = unchecked((int)0x80000005);
        const int AmdOthers = unchecked((int)0x80000006);
        return X86Base.IsSupported
            ? Told(i => Cache(Intel, i))
                ?? Told(i => Cache(Amd, i))
                ?? Told(Leaf(AmdFirst, 0).Ecx, Leaf(AmdOthers, 0).Ecx, Leaf(AmdOthers, 0).Edx)
            : null;

        static (int, int, int) Cache(int number, int index)
        {
            var (eax, ebx, ecx, _) = Leaf(number, index);
            return (eax, ebx, ecx);
        }

        // Beyond the last one a processor answers with whatever it likes.
        static (int Eax, int Ebx, int Ecx, int Edx) Leaf(int number, int index)
            => (uint)X86Base.CpuId(number & unchecked((int)0x80000000), 0).Eax >= (uint)number ? X86Base.CpuId(number, index) : default;
    }

    private static long True(long bytes) => bytes is >= Least and <= Most ? bytes : 0;

    private static CacheSizes? Of(long[] levels) => levels[1] > 0 && levels[2] > 0 ? new CacheSizes(levels[1], levels[2], levels[3], true) : null;

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
