using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace EFedLLM.Compression.Factorization;

/// <summary>
/// A native library that exports LAPACK and BLAS by their Fortran names. It is held to one thread: callers run several
/// matrices at a time instead, and so a result does not depend on how many cores there are.
/// </summary>
internal sealed unsafe partial class LapackLibrary
{
    /// <summary>Where to look, fastest first: Intel's MKL, OpenBLAS, Apple's Accelerate, any LAPACK, and PyTorch's library, which carries MKL.</summary>
    private static readonly string[] KnownNames =
    [
        "libmkl_rt.so.2", "libmkl_rt.so", "libmkl_rt.so.1", "mkl_rt.2.dll", "mkl_rt.dll",
        "libopenblas.so.0", "libopenblas.so", "libopenblas.dll", "openblas.dll", "libopenblas.dylib", "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
        "/System/Library/Frameworks/Accelerate.framework/Accelerate",
        "liblapack.so.3", "liblapack.so", "liblapack.dll",
        "libtorch_cpu.so", "torch_cpu.dll", "libtorch_cpu.dylib",
    ];

    private static readonly string[] Needed = ["dgemm_", "sgemm_", "dsyevd_", "ssyevd_", "dgesdd_", "sgesdd_", "dpotrf_", "spotrf_"];

    private readonly nint _handle;

    private LapackLibrary(nint handle, string name)
    {
        _handle = handle;
        HoldToOneThread();
        Name = $"{Version()} ({Path.GetFileName(name)})";
    }

    /// <summary>What it is, its version where it tells, and the file it was loaded from.</summary>
    public string Name { get; }

    /// <summary>Loads the first library of the known names that is installed and complete.</summary>
    public static LapackLibrary? Find() => KnownNames.Select(name => TryLoad(name, out var library) ? library : null).FirstOrDefault(library => library is not null);

    /// <summary>Loads a library by its name or path, if it is there and has every routine that is used.</summary>
    public static bool TryLoad(string name, [NotNullWhen(true)] out LapackLibrary? library)
    {
        library = null;
        PrepareEnvironment();
        if (!NativeLibrary.TryLoad(name, typeof(LapackLibrary).Assembly, null, out var handle))
        {
            return false;
        }

        // A library that lacks a routine stays loaded: unloading one that has started threads is not safe.
        if (!Needed.All(routine => NativeLibrary.TryGetExport(handle, routine, out _)))
        {
            return false;
        }

        library = new LapackLibrary(handle, name);
        return true;
    }

    /// <summary>The address of an exported routine.</summary>
    /// <exception cref="EntryPointNotFoundException">There is none of that name.</exception>
    public nint Routine(string name) => NativeLibrary.GetExport(_handle, name);

    private static void PrepareEnvironment()
    {
        // The libraries read these once, while they load. On Unix .NET keeps its own copy of the environment, which they never see.
        foreach (var (variable, value) in (ReadOnlySpan<(string, string)>)[
            ("OMP_WAIT_POLICY", "PASSIVE"), ("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1"), ("VECLIB_MAXIMUM_THREADS", "1")])
        {
            if (OperatingSystem.IsWindows())
            {
                Environment.SetEnvironmentVariable(variable, value);
            }
            else
            {
                _ = SetEnvironment(variable, value, 1);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    private void HoldToOneThread()
    {
        foreach (var name in (ReadOnlySpan<string>)["openblas_set_num_threads", "MKL_Set_Num_Threads"])
        {
            if (NativeLibrary.TryGetExport(_handle, name, out var routine))
            {
                ((delegate* unmanaged[Cdecl]<int, void>)routine)(1);
            }
        }
    }

    private string Version()
    {
        if (NativeLibrary.TryGetExport(_handle, "openblas_get_config", out var config))
        {
            var words = (Marshal.PtrToStringUTF8(((delegate* unmanaged[Cdecl]<nint>)config)()) ?? "OpenBLAS").Split(' ');
            return string.Join(' ', words.Take(2));
        }

        if (NativeLibrary.TryGetExport(_handle, "mkl_get_version_string", out _) || NativeLibrary.TryGetExport(_handle, "MKL_Get_Version_String", out _))
        {
            return MklVersion();
        }

        if (NativeLibrary.TryGetExport(_handle, "ilaver_", out var lapack))
        {
            long major, minor, patch;
            (major, minor, patch) = (0, 0, 0);
            ((delegate* unmanaged[Cdecl]<long*, long*, long*, void>)lapack)(&major, &minor, &patch);
            return $"LAPACK {major}.{minor}.{patch}";
        }

        return "LAPACK";
    }

    private string MklVersion()
    {
        if (!NativeLibrary.TryGetExport(_handle, "MKL_Get_Version_String", out var version))
        {
            return "oneMKL";
        }

        var text = stackalloc byte[200];
        new Span<byte>(text, 200).Clear();
        ((delegate* unmanaged[Cdecl]<byte*, int, void>)version)(text, 199);
        var words = (Marshal.PtrToStringUTF8((nint)text) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var at = Array.IndexOf(words, "Version");
        return at >= 0 && at + 1 < words.Length ? "oneMKL " + words[at + 1] : "oneMKL";
    }
}
