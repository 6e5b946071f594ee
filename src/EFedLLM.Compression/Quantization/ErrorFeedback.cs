using EFedLLM.Compression.Factorization;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Quantization;

/// <summary>
/// How rounding a weight is made up for by the weights after it. With H = S + damping = (F + 1)·D·(F + 1)ᵀ, F strictly
/// upper triangular and D diagonal, weight j of a row is rounded after adding Σ over i &lt; j of e_i·F_ij, e the errors
/// of the weights before it. The row's output error eᵀ·H·e is then Σ D_j·ε_j², ε_j what rounding that sum lost.
/// This is the method of GPTQ (Frantar, Ashkboos, Hoefler, Alistarh: "GPTQ: Accurate Post-Training Quantization for
/// Generative Pre-trained Transformers", 2022) in the form of Chee, Cai, Kuleshov and De Sa ("QuIP", 2023, LDLQ), who
/// show the two to be equal; it takes one Cholesky factor and no inverse.
/// </summary>
public sealed class ErrorFeedback
{
    /// <summary>Columns that are rounded between two matrix products: whole groups.</summary>
    public const int Block = 128;

    private readonly double[][] _tiles; // upper triangle of [block, block] tiles of F, each [from, to] column-major
    private readonly double[] _weights;

    private ErrorFeedback(int width, double[] weights, double[][] tiles) => (Width, _weights, _tiles) = (width, weights, tiles);

    /// <summary>Number of inputs.</summary>
    public int Width { get; }

    /// <summary>Number of blocks of inputs.</summary>
    public int Blocks => (Width + Block - 1) / Block;

    /// <summary>D, [width], positive: what an error in rounding each weight costs after the later ones have made up for it.</summary>
    public ReadOnlySpan<double> Weights => _weights;

    /// <summary>Factors S.</summary>
    /// <param name="moment">S, [width, width], symmetric, positive semidefinite.</param>
    /// <param name="width">Number of inputs.</param>
    /// <param name="damping">Added to S's diagonal, as a share of its mean: above 0. It keeps inputs that never occurred harmless, and the rounding from trusting the calibration text too much.</param>
    /// <param name="provider">The linear algebra, or null for this process's.</param>
    /// <exception cref="ArgumentException">A value is out of its bounds, or S is not what it should be.</exception>
    public static ErrorFeedback Of(double[] moment, int width, double damping, ILinearAlgebraProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(moment);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(damping);
        if (moment.LongLength != (long)width * width)
        {
            throw new ArgumentException($"{moment.LongLength} values are no matrix of {width} x {width}.", nameof(moment));
        }

        // In the reverse order of inputs the factor is a lower triangle, which is the one that the library makes.
        var factor = new double[moment.LongLength];
        var added = Damping(moment, width, damping);
        for (var i = 0L; i < factor.LongLength; i++)
        {
            factor[i] = moment[moment.LongLength - 1 - i];
        }

        for (var i = 0L; i < width; i++)
        {
            factor[i * width + i] += added;
        }

        (provider ?? LinearAlgebra.Current.Provider).CholeskyFactor(factor, width);
        return Unpack(factor, width);
    }

    /// <summary>What is added to the diagonal: a share of its mean, or 1 where all inputs were zero.</summary>
    internal static double Damping(double[] moment, int width, double damping)
    {
        var trace = 0.0;
        for (var i = 0L; i < width; i++)
        {
            trace += moment[i * width + i];
        }

        return trace > 0 ? damping * trace / width : 1;
    }

    /// <summary>F between two blocks: [rows of <paramref name="from"/>, columns of <paramref name="to"/>], column-major; from ≤ to.</summary>
    internal double[] Tile(int from, int to) => _tiles[to * (to + 1) / 2 + from];

    /// <summary>Number of inputs of a block.</summary>
    internal int WidthOf(int block) => Math.Min(Block, Width - block * Block);

    private static ErrorFeedback Unpack(double[] factor, int width)
    {
        var weights = new double[width];
        var last = (long)width - 1;
        for (var j = 0; j < width; j++)
        {
            var root = factor[(last - j) * width + last - j];
            weights[j] = root * root;
        }

        var blocks = (width + Block - 1) / Block;
        var tiles = new double[blocks * (blocks + 1) / 2][];
        for (var to = 0; to < blocks; to++)
        {
            for (var from = 0; from <= to; from++)
            {
                var (height, columns) = (Math.Min(Block, width - from * Block), Math.Min(Block, width - to * Block));
                var tile = new double[height * columns];
                for (var c = 0; c < columns; c++)
                {
                    var j = to * Block + c;
                    var root = factor[(last - j) * width + last - j];
                    for (var r = 0; r < height && from * Block + r < j; r++)
                    {
                        tile[c * height + r] = factor[(last - j) * width + last - (from * Block + r)] / root;
                    }
                }

                tiles[to * (to + 1) / 2 + from] = tile;
            }
        }

        return new ErrorFeedback(width, weights, tiles);
    }
}
