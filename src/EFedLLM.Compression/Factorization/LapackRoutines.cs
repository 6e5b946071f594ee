using System.Numerics;
using MathNet.Numerics;
using Transposition = MathNet.Numerics.Providers.LinearAlgebra.Transpose;

namespace EFedLLM.Compression.Factorization;

/// <summary>
/// The routines of a native library in one precision, called as MathNet's provider interface describes them: matrices
/// in column-major order. Integers are passed as 64 bits of which the upper half is zero, so that libraries with
/// 32-bit and with 64-bit integers both read them right (all supported processors are little-endian).
/// </summary>
internal sealed unsafe class LapackRoutines<T>
    where T : unmanaged, INumber<T>
{
    /// <summary>Beyond this order the workspace no longer fits the 32-bit integers that describe it.</summary>
    private const int LargestOrder = 30_000;

    private readonly delegate* unmanaged[Cdecl]<byte*, byte*, long*, long*, long*, T*, T*, long*, T*, long*, T*, T*, long*, nint, nint, void> _multiply;
    private readonly delegate* unmanaged[Cdecl]<byte*, byte*, long*, T*, long*, T*, T*, long*, long*, long*, long*, nint, nint, void> _eigen;
    private readonly delegate* unmanaged[Cdecl]<byte*, long*, long*, T*, long*, T*, T*, long*, T*, long*, T*, long*, long*, long*, nint, void> _singular;
    private readonly delegate* unmanaged[Cdecl]<byte*, long*, T*, long*, long*, nint, void> _cholesky;

    /// <param name="library">The library.</param>
    /// <param name="prefix">The letter that stands for the precision in the routines' names: s or d.</param>
    public LapackRoutines(LapackLibrary library, char prefix)
    {
        _multiply = (delegate* unmanaged[Cdecl]<byte*, byte*, long*, long*, long*, T*, T*, long*, T*, long*, T*, T*, long*, nint, nint, void>)library.Routine(prefix + "gemm_");
        _eigen = (delegate* unmanaged[Cdecl]<byte*, byte*, long*, T*, long*, T*, T*, long*, long*, long*, long*, nint, nint, void>)library.Routine(prefix + "syevd_");
        _singular = (delegate* unmanaged[Cdecl]<byte*, long*, long*, T*, long*, T*, T*, long*, T*, long*, T*, long*, long*, long*, nint, void>)library.Routine(prefix + "gesdd_");
        _cholesky = (delegate* unmanaged[Cdecl]<byte*, long*, T*, long*, long*, nint, void>)library.Routine(prefix + "potrf_");
    }

    /// <summary>c = alpha * op(a) * op(b) + beta * c.</summary>
    public void Multiply(
        Transposition transposeA, Transposition transposeB, T alpha, T[] a, int rowsA, int columnsA, T[] b, int rowsB, int columnsB, T beta, T[] c)
    {
        var (turnA, turnB) = (transposeA != Transposition.DontTranspose, transposeB != Transposition.DontTranspose);
        long rows = turnA ? columnsA : rowsA, inner = turnA ? rowsA : columnsA, columns = turnB ? rowsB : columnsB;
        if (inner != (turnB ? columnsB : rowsB) || a.LongLength < (long)rowsA * columnsA || b.LongLength < (long)rowsB * columnsB || c.LongLength < rows * columns)
        {
            throw new ArgumentException($"Matrices of {rowsA} x {columnsA} and {rowsB} x {columnsB} and a result of {c.LongLength} values do not fit.", nameof(c));
        }

        byte letterA = turnA ? (byte)'T' : (byte)'N', letterB = turnB ? (byte)'T' : (byte)'N';
        long strideA = Math.Max(rowsA, 1), strideB = Math.Max(rowsB, 1), strideC = Math.Max(rows, 1);
        fixed (T* pointerA = a, pointerB = b, pointerC = c)
        {
            _multiply(&letterA, &letterB, &rows, &columns, &inner, &alpha, pointerA, &strideA, pointerB, &strideB, &beta, pointerC, &strideC, 1, 1);
        }
    }

    /// <summary>Eigenvalues, ascending, and vectors of a symmetric matrix; false where the order is too large for the routine.</summary>
    public bool Eigen(int order, T[] matrix, T[] vectors, Complex[] values, T[] diagonal)
    {
        if (order is < 1 or > LargestOrder)
        {
            return false;
        }

        matrix.AsSpan(0, order * order).CopyTo(vectors);
        var lengths = (Work: 1L + 6L * order + 2L * order * order, Integers: 3L + 5L * order);
        var (found, work, integers) = (new T[order], new T[lengths.Work], new long[lengths.Integers]);
        byte job = (byte)'V', part = (byte)'L';
        long size = order, workLength = lengths.Work, integerLength = lengths.Integers, info = 0;
        fixed (T* pointer = vectors, pointerFound = found, pointerWork = work)
        fixed (long* pointerIntegers = integers)
        {
            _eigen(&job, &part, &size, pointer, &size, pointerFound, pointerWork, &workLength, pointerIntegers, &integerLength, &info, 1, 1);
        }

        Check((int)info);
        diagonal.AsSpan(0, order * order).Clear();
        for (var i = 0; i < order; i++)
        {
            values[i] = new Complex(double.CreateChecked(found[i]), 0);
            diagonal[i * order + i] = found[i];
        }

        return true;
    }

    /// <summary>The lower triangle L of a = L·Lᵀ, in place, zeros above it; false where the order is too large for the routine.</summary>
    /// <exception cref="ArgumentException">The matrix is not positive definite.</exception>
    public bool Cholesky(T[] a, int order)
    {
        if (order is < 1 or > LargestOrder)
        {
            return false;
        }

        var part = (byte)'L';
        long size = order, info = 0;
        fixed (T* pointer = a)
        {
            _cholesky(&part, &size, pointer, &size, &info, 1);
        }

        if (info > 0)
        {
            throw new ArgumentException("The matrix is not positive definite.", nameof(a));
        }

        Check((int)info);
        for (var column = 1; column < order; column++)
        {
            a.AsSpan(column * order, column).Clear();
        }

        return true;
    }

    /// <summary>Singular values, descending, and, where wanted, all left vectors and all right vectors, transposed; a is destroyed.</summary>
    public bool Singular(bool vectors, T[] a, int rows, int columns, T[] s, T[] u, T[] vt)
    {
        var least = Math.Min(rows, columns);
        if (least < 1 || Math.Max(rows, columns) > LargestOrder)
        {
            return false;
        }

        byte job = vectors ? (byte)'A' : (byte)'N';
        long m = rows, n = columns, info = 0;
        var integers = new long[8L * least];
        fixed (T* pointerA = a, pointerS = s, pointerU = u, pointerV = vt)
        fixed (long* pointerIntegers = integers)
        {
            T wanted;
            var length = -1L;
            _singular(&job, &m, &n, pointerA, &m, pointerS, pointerU, &m, pointerV, &n, &wanted, &length, pointerIntegers, &info, 1);
            Check((int)info);
            // The wish comes as a float, which rounds; LAPACK's documented minimum does not.
            var minimum = 4L * least * least + 7L * least + Math.Max(rows, columns);
            length = Math.Min(Math.Max(minimum, (long)(double.CreateChecked(wanted) * 1.001) + 1), int.MaxValue);
            var work = new T[length];
            fixed (T* pointerWork = work)
            {
                _singular(&job, &m, &n, pointerA, &m, pointerS, pointerU, &m, pointerV, &n, pointerWork, &length, pointerIntegers, &info, 1);
            }
        }

        Check((int)info);
        return true;
    }

    private static void Check(int info)
    {
        if (info > 0)
        {
            throw new NonConvergenceException();
        }

        if (info < 0)
        {
            throw new InvalidOperationException($"The native LAPACK library refused its argument {-info}: name another one in {LinearAlgebra.Variable}, or \"managed\".");
        }
    }
}
