using System.Numerics;
using System.Reflection;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Factorization;

/// <summary>
/// MathNet's provider interface over a native library: products, Cholesky factors, symmetric eigenvalues and singular values of real
/// matrices are computed there, everything else by MathNet's managed provider. The interface has some 120 members of
/// which ten matter, hence a proxy that forwards the others.
/// </summary>
internal class LapackProvider : DispatchProxy
{
    private readonly Dictionary<MethodInfo, Func<object?[], bool>> _native = [];
    private string _name = "";

    /// <summary>A provider over a library.</summary>
    public static ILinearAlgebraProvider Over(LapackLibrary library)
    {
        var provider = Create<ILinearAlgebraProvider, LapackProvider>();
        var proxy = (LapackProvider)provider;
        proxy._name = library.Name;
        proxy.Route(new LapackRoutines<float>(library, 's'), 1f);
        proxy.Route(new LapackRoutines<double>(library, 'd'), 1d);
        return provider;
    }

    /// <inheritdoc/>
    public override string ToString() => _name;

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        ArgumentNullException.ThrowIfNull(targetMethod);
        return _native.TryGetValue(targetMethod, out var native) && native(args!)
            ? null
            : targetMethod.Invoke(ManagedLinearAlgebraProvider.Instance, BindingFlags.DoNotWrapExceptions, null, args, null);
    }

    private void Route<T>(LapackRoutines<T> routines, T one)
        where T : unmanaged, INumber<T>
    {
        Add<T>(nameof(ILinearAlgebraProvider<>.MatrixMultiply), args =>
        {
            var (a, rowsA, columnsA) = ((T[])args[0]!, (int)args[1]!, (int)args[2]!);
            var (b, rowsB, columnsB) = ((T[])args[3]!, (int)args[4]!, (int)args[5]!);
            routines.Multiply(Transpose.DontTranspose, Transpose.DontTranspose, one, a, rowsA, columnsA, b, rowsB, columnsB, T.Zero, (T[])args[6]!);
            return true;
        });
        Add<T>(nameof(ILinearAlgebraProvider<>.MatrixMultiplyWithUpdate), args =>
        {
            var (a, rowsA, columnsA) = ((T[])args[3]!, (int)args[4]!, (int)args[5]!);
            var (b, rowsB, columnsB) = ((T[])args[6]!, (int)args[7]!, (int)args[8]!);
            routines.Multiply((Transpose)args[0]!, (Transpose)args[1]!, (T)args[2]!, a, rowsA, columnsA, b, rowsB, columnsB, (T)args[9]!, (T[])args[10]!);
            return true;
        });
        Add<T>(nameof(ILinearAlgebraProvider<>.EigenDecomp), args =>
            (bool)args[0]! && routines.Eigen((int)args[1]!, (T[])args[2]!, (T[])args[3]!, (Complex[])args[4]!, (T[])args[5]!));
        Add<T>(nameof(ILinearAlgebraProvider<>.CholeskyFactor), args => routines.Cholesky((T[])args[0]!, (int)args[1]!));
        Add<T>(nameof(ILinearAlgebraProvider<>.SingularValueDecomposition), args =>
            routines.Singular((bool)args[0]!, (T[])args[1]!, (int)args[2]!, (int)args[3]!, (T[])args[4]!, (T[])args[5]!, (T[])args[6]!));
    }

    private void Add<T>(string method, Func<object?[], bool> native)
        where T : struct
        => _native.Add(typeof(ILinearAlgebraProvider<T>).GetMethod(method)!, native);
}
