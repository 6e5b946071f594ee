using System.Diagnostics;
using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Tests.Support;

/// <summary>
/// Runs digests in child processes that may use only part of the processor: the runtime decides at start which
/// instructions it emits. The child is this test assembly, whose <see cref="Program"/> prints one hash for each digest.
/// </summary>
internal static class VectorWidthProcesses
{
    public const string Argument = "--digests";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>The widths below <see cref="VectorWidth.Widest"/> that this kind of processor can be held to.</summary>
    public static TheoryData<VectorWidth> Narrower { get; } = [VectorWidth.Bits256, VectorWidth.Bits128, VectorWidth.Scalar];

    /// <summary>The hashes of some digests as a process of the given width computes them, after checking that it is of that width.</summary>
    public static Task<string[]> HashAsync(VectorWidth width, params Type[] digests) => HashAsync(width, Patience, digests);

    /// <summary>The same for digests that take longer.</summary>
    public static async Task<string[]> HashAsync(VectorWidth width, TimeSpan patience, params Type[] digests)
    {
        var runtime = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", ".."));
        var start = new ProcessStartInfo(Path.Combine(runtime, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add("exec");
        start.ArgumentList.Add(typeof(VectorWidthProcesses).Assembly.Location);
        start.ArgumentList.Add(Argument);
        foreach (var digest in digests)
        {
            start.ArgumentList.Add(digest.FullName!);
        }

        foreach (var knob in Knobs(width))
        {
            start.Environment[knob] = "0";
        }

        using var process = Process.Start(start)!;
        using var timeout = new CancellationTokenSource(patience);
        try
        {
            var errors = process.StandardError.ReadToEndAsync(timeout.Token);
            var lines = (await process.StandardOutput.ReadToEndAsync(timeout.Token)).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            await process.WaitForExitAsync(timeout.Token);
            Assert.True(process.ExitCode == 0, $"The {width} process ended with {process.ExitCode}: {await errors}");
            var bits = int.Parse(lines[0]);
            Assert.True(bits <= Most(width), $"The process was to use at most {Most(width)} bits, but uses {bits}.");
            Assert.Equal(digests.Length, lines.Length - 1);
            return lines[1..];
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    /// <summary>The child's side: prints the width of its registers in bits, then a hash for each digest.</summary>
    public static void Print(IEnumerable<string> digests)
    {
        Console.WriteLine(Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 32);
        foreach (var name in digests)
        {
            var type = Type.GetType(name, throwOnError: true)!;
            Console.WriteLine(BitResults.Hash((IBitDigest)Activator.CreateInstance(type)!));
        }
    }

    private static string[] Knobs(VectorWidth width) => width switch
    {
        VectorWidth.Bits256 => ["DOTNET_EnableAVX512"],
        VectorWidth.Bits128 => ["DOTNET_EnableAVX512", "DOTNET_EnableAVX2", "DOTNET_EnableAVX"],
        VectorWidth.Scalar => ["DOTNET_EnableHWIntrinsic"],
        _ => [],
    };

    private static int Most(VectorWidth width) => width switch
    {
        VectorWidth.Bits256 => 256,
        VectorWidth.Bits128 => 128,
        VectorWidth.Scalar => 32,
        _ => 512,
    };
}
