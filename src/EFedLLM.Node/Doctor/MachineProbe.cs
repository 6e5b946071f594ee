using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace EFedLLM.Node.Doctor;

/// <summary>Measures this machine.</summary>
internal static class MachineProbe
{
    private const int MostBytes = 64 * 1024;

    /// <summary>The facts.</summary>
    public static MachineFacts Measure() => new()
    {
        Runtime = Environment.Version,
        Architecture = RuntimeInformation.ProcessArchitecture.ToString(),
        Processors = Environment.ProcessorCount,
        VectorBits = Avx512BW.IsSupported ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 0,
        FreeMemoryBytes = FreeMemory(),
        HugePages = Read("/sys/kernel/mm/transparent_hugepage/enabled") is { } text ? Chosen(text) : null,
        OpenFiles = Read("/proc/self/limits") is { } limits ? OpenFiles(limits) : null,
    };

    /// <summary>What the processor is called, or its architecture where the system does not say.</summary>
    public static string ProcessorName() => Read("/proc/cpuinfo") is { } text && Named(text) is { } name ? name : RuntimeInformation.ProcessArchitecture.ToString();

    /// <summary>The processor's name, or null.</summary>
    /// <param name="text">The content of <c>/proc/cpuinfo</c>.</param>
    internal static string? Named(string text) => text.Split('\n').FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2) is [_, var name] && name.Trim() is { Length: > 0 } trimmed
        ? trimmed
        : null;

    /// <summary>The memory that Linux calls available, in bytes.</summary>
    /// <param name="text">The content of <c>/proc/meminfo</c>.</param>
    internal static long? Available(string text) => Number(text, "MemAvailable:") is { } kibibytes && kibibytes <= long.MaxValue >> 10 ? kibibytes << 10 : null;

    /// <summary>The soft limit of open files; null is none.</summary>
    /// <param name="text">The content of <c>/proc/self/limits</c>.</param>
    internal static long? OpenFiles(string text) => Number(text, "Max open files");

    /// <summary>The word in brackets.</summary>
    internal static string Chosen(string text)
    {
        var (first, end) = (text.IndexOf('['), text.IndexOf(']'));
        return first >= 0 && end > first ? text[(first + 1)..end] : text.Trim();
    }

    private static long? FreeMemory()
    {
        var gc = GC.GetGCMemoryInfo();

        // In a container, less than the machine's may be ours.
        var ours = gc.TotalAvailableMemoryBytes - Environment.WorkingSet;
        return Read("/proc/meminfo") is { } text && Available(text) is { } available ? Math.Min(available, ours) : OperatingSystem.IsLinux() ? null : gc.TotalAvailableMemoryBytes - gc.MemoryLoadBytes;
    }

    private static long? Number(string text, string label)
    {
        var line = text.Split('\n').FirstOrDefault(line => line.StartsWith(label, StringComparison.Ordinal));
        var word = line?[label.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
    }

    private static string? Read(string file)
    {
        try
        {
            if (!File.Exists(file))
            {
                return null;
            }

            // The system's own files say nothing of their length.
            using var reader = new StreamReader(file);
            var buffer = new char[MostBytes];
            return new string(buffer, 0, reader.ReadBlock(buffer));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
