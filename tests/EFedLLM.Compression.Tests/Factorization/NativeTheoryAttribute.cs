using EFedLLM.Compression.Factorization;

namespace EFedLLM.Compression.Tests.Factorization;

/// <summary>A theory that needs a native LAPACK library. Where none is installed it says so; in CI that fails it.</summary>
internal sealed class NativeTheoryAttribute : TheoryAttribute
{
    public NativeTheoryAttribute() => Skip = LapackLibrary.Find() is not null || Environment.GetEnvironmentVariable("CI") is "true" or "1"
        ? null
        : $"No library with LAPACK's names is installed: install OpenBLAS (Debian: libopenblas0), or name one in {LinearAlgebra.Variable}.";
}
