using EFedLLM.Compression.Factorization;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Calibration;

/// <summary>What a change of a matrix does to its output.</summary>
public static class OutputError
{
    /// <summary>E|D·x|² = Σ over the rows d of D of dᵀ·S·d: the mean squared change of the output, summed over outputs.</summary>
    /// <param name="difference">D, [outputs, inputs], row-major.</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="moment">S, [inputs, inputs] (<see cref="SecondMoment.Mean"/>).</param>
    /// <param name="inputs">Columns.</param>
    /// <param name="provider">The linear algebra, or null for this process's.</param>
    /// <exception cref="ArgumentException">A length does not fit the dimensions.</exception>
    public static double Of(double[] difference, int outputs, double[] moment, int inputs, ILinearAlgebraProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(difference);
        ArgumentNullException.ThrowIfNull(moment);
        if (difference.LongLength != (long)outputs * inputs || moment.LongLength != (long)inputs * inputs)
        {
            throw new ArgumentException($"{difference.LongLength} differences and {moment.LongLength} moments do not fit a matrix of {outputs} x {inputs}.", nameof(difference));
        }

        // Row-major D is Dᵀ as the library reads: [inputs, outputs].
        var product = new double[difference.LongLength];
        (provider ?? LinearAlgebra.Current.Provider).MatrixMultiply(moment, inputs, inputs, difference, inputs, outputs, product);
        var sum = 0.0;
        for (var i = 0L; i < product.LongLength; i++)
        {
            sum += product[i] * difference[i];
        }

        return sum;
    }
}
