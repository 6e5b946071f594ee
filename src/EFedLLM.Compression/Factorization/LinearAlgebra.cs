using MathNet.Numerics;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Factorization;

/// <summary>
/// What MathNet computes decompositions with. Chosen once per process, the first that is there: the library that the
/// variable <c>EFEDLLM_LAPACK</c> names; MathNet's own MKL provider, when its package is referenced; any installed
/// library with LAPACK's names; MathNet's managed code, some twenty times slower. Each is held to one thread, so that
/// its results do not depend on the number of cores; between different providers results differ in the last bits.
/// </summary>
public sealed class LinearAlgebra
{
    /// <summary>The environment variable that names a library by file name or path, or says <c>managed</c>.</summary>
    public const string Variable = "EFEDLLM_LAPACK";

    private const string Managed = "managed";

    private static readonly Lazy<LinearAlgebra> Chosen = new(() =>
    {
        Control.UseSingleThread();
        var choice = Choose(Environment.GetEnvironmentVariable(Variable));
        LinearAlgebraControl.Provider = choice.Provider;
        return choice;
    });

    private LinearAlgebra(string name, ILinearAlgebraProvider provider, bool isNative) => (Name, Provider, IsNative) = (name, provider, isNative);

    /// <summary>The choice of this process; the first use makes it, and sets MathNet's provider.</summary>
    /// <exception cref="InvalidOperationException">The variable names a library that cannot be used; the message says what to do.</exception>
    public static LinearAlgebra Current => Chosen.Value;

    /// <summary>What runs, for people, for example <c>OpenBLAS 0.3.21 (libopenblas.so.0)</c>.</summary>
    public string Name { get; }

    /// <summary>MathNet's interface to it.</summary>
    public ILinearAlgebraProvider Provider { get; }

    /// <summary>Whether it is native code.</summary>
    public bool IsNative { get; }

    /// <summary>Whether it is known to be blocked and vectorised, unlike LAPACK's reference library and managed code.</summary>
    public bool IsFast => IsNative && (Name.Contains("OpenBLAS", StringComparison.OrdinalIgnoreCase) || Name.Contains("MKL", StringComparison.OrdinalIgnoreCase));

    /// <summary>Chooses without setting anything of MathNet's, except by trying its MKL provider.</summary>
    /// <param name="named">A library's name or path, <c>managed</c>, or null or empty for the best one present.</param>
    internal static LinearAlgebra Choose(string? named)
    {
        if (string.Equals(named, Managed, StringComparison.OrdinalIgnoreCase))
        {
            return Slow();
        }

        if (!string.IsNullOrEmpty(named))
        {
            return LapackLibrary.TryLoad(named, out var wanted) && Over(wanted) is { } right
                ? right
                : throw new InvalidOperationException($"{Variable} names \"{named}\", which cannot be loaded or lacks LAPACK's routines. Name another library, or \"{Managed}\", or unset it.");
        }

        if (Control.TryUseNativeMKL())
        {
            return new LinearAlgebra($"{LinearAlgebraControl.Provider} (MathNet.Numerics.Providers.MKL)", LinearAlgebraControl.Provider, true);
        }

        return LapackLibrary.Find() is { } found && Over(found) is { } native ? native : Slow();
    }

    private static LinearAlgebra Slow() => new("MathNet managed", ManagedLinearAlgebraProvider.Instance, false);

    /// <summary>The provider over a library, or null where the library computes wrongly.</summary>
    private static LinearAlgebra? Over(LapackLibrary library)
    {
        var provider = LapackProvider.Over(library);
        double[] matrix = [2, 1, 1, 2], vectors = new double[4], diagonal = new double[4], rebuilt = new double[4], scaled = new double[4];
        var values = new System.Numerics.Complex[2];
        provider.EigenDecomp(true, 2, matrix, vectors, values, diagonal);
        provider.MatrixMultiply(vectors, 2, 2, diagonal, 2, 2, scaled);
        provider.MatrixMultiplyWithUpdate(Transpose.DontTranspose, Transpose.Transpose, 1.0, scaled, 2, 2, vectors, 2, 2, 0.0, rebuilt);
        return matrix.Zip(rebuilt).All(pair => Math.Abs(pair.First - pair.Second) < 1e-12) ? new LinearAlgebra(library.Name, provider, true) : null;
    }
}
