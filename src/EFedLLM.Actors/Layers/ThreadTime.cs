using System.Diagnostics;
using System.Runtime.InteropServices;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// How long the calling thread has computed. Where the system says that, it is the processor's time: what a step costs is the same whether or not
/// other programs want the processor too. Elsewhere it is the time that passed.
/// </summary>
internal static partial class ThreadTime
{
    // The numbers of CLOCK_THREAD_CPUTIME_ID: Linux' uapi/linux/time.h and Darwin's time.h.
    private static readonly int Clock = OperatingSystem.IsLinux() ? 3 : OperatingSystem.IsMacOS() ? 16 : -1;

    /// <summary>Microseconds since some moment in the thread's past: only differences on one thread say something.</summary>
    public static long Microseconds()
        => Clock >= 0 && Read(Clock, out var time) == 0
            ? ((long)time.Seconds * 1_000_000) + ((long)time.Nanoseconds / 1000)
            : (long)Stopwatch.GetElapsedTime(0).TotalMicroseconds;

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int Read(int clock, out Time time);

    /// <summary>A <c>struct timespec</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Time
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
