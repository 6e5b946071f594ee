using EFedLLM.Compression.Factorization;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Calibration;

/// <summary>
/// S = E[x·xᵀ] over the inputs x of a matrix, in float64: what a change D of the matrix does to its output on average
/// is the sum of its rows' dᵀ·S·d (<see cref="OutputError"/>). Inputs are taken in as they come; rows are summed in
/// blocks of a fixed number, tile by tile, so that the bits depend on the inputs and their order alone, neither on the
/// portions they came in nor on the number of threads. Not thread-safe.
/// </summary>
public sealed class SecondMoment
{
    /// <summary>Inputs whose products are summed by one call of the library.</summary>
    private const int BlockRows = 256;

    /// <summary>Columns of a tile: large enough for the library, and enough tiles for the threads.</summary>
    private const int TileWidth = 512;

    private readonly ILinearAlgebraProvider _provider;
    private readonly int _threads;
    private readonly double[][] _panels; // [panels][width of the panel, rows of a block], the width fastest
    private readonly double[][] _tiles; // the lower triangle of tiles [row panel, column panel], column-major
    private int _pending;

    /// <param name="width">Width of an input.</param>
    /// <param name="threads">Threads that may take part; the result is the same for any number.</param>
    /// <param name="provider">The linear algebra, or null for this process's.</param>
    public SecondMoment(int width, int threads = 1, ILinearAlgebraProvider? provider = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads);
        (Width, _threads, _provider) = (width, threads, provider ?? LinearAlgebra.Current.Provider);
        var panels = (width + TileWidth - 1) / TileWidth;
        _panels = [.. Enumerable.Range(0, panels).Select(panel => new double[(long)PanelWidth(panel) * BlockRows])];
        _tiles = [.. Tiles(panels).Select(tile => new double[(long)PanelWidth(tile.Row) * PanelWidth(tile.Column)])];
    }

    /// <summary>Width of an input.</summary>
    public int Width { get; }

    /// <summary>Inputs taken in.</summary>
    public long Count { get; private set; }

    /// <summary>Takes inputs in.</summary>
    /// <param name="rows">[count, width], row-major, finite.</param>
    /// <exception cref="ArgumentException">It does not hold whole inputs.</exception>
    public void Add(ReadOnlySpan<float> rows)
    {
        if (rows.Length % Width != 0)
        {
            throw new ArgumentException($"{rows.Length} values are not whole inputs of {Width}.", nameof(rows));
        }

        for (var at = 0; at < rows.Length; at += Width)
        {
            for (var panel = 0; panel < _panels.Length; panel++)
            {
                var width = PanelWidth(panel);
                var source = rows.Slice(at + panel * TileWidth, width);
                var target = _panels[panel].AsSpan(_pending * width, width);
                for (var i = 0; i < width; i++)
                {
                    target[i] = source[i];
                }
            }

            Count++;
            if (++_pending == BlockRows)
            {
                SumBlock();
            }
        }
    }

    /// <summary>S, [width, width], symmetric to the last bit.</summary>
    /// <exception cref="InvalidOperationException">No input was taken in.</exception>
    public double[] Mean()
    {
        if (Count == 0)
        {
            throw new InvalidOperationException("There is no mean of no inputs.");
        }

        if (_pending > 0)
        {
            foreach (var panel in _panels)
            {
                panel.AsSpan(panel.Length / BlockRows * _pending).Clear();
            }

            SumBlock();
        }

        var mean = new double[(long)Width * Width];
        var index = 0;
        foreach (var (row, column) in Tiles(_panels.Length))
        {
            var tile = _tiles[index++];
            var height = PanelWidth(row);
            for (var j = 0; j < PanelWidth(column); j++)
            {
                // A product computed in tiles need not be symmetric to the last bit: the lower triangle counts.
                for (var i = row == column ? j : 0; i < height; i++)
                {
                    var (high, low) = (row * TileWidth + i, column * TileWidth + j);
                    mean[(long)low * Width + high] = mean[(long)high * Width + low] = tile[j * height + i] / Count;
                }
            }
        }

        return mean;
    }

    private static IEnumerable<(int Row, int Column)> Tiles(int panels) =>
        Enumerable.Range(0, panels).SelectMany(row => Enumerable.Range(0, row + 1).Select(column => (row, column)));

    private int PanelWidth(int panel) => Math.Min(TileWidth, Width - panel * TileWidth);

    private void SumBlock()
    {
        var tiles = Tiles(_panels.Length).ToArray();
        Parallel.For(0, tiles.Length, new ParallelOptions { MaxDegreeOfParallelism = _threads }, index =>
        {
            var (row, column) = tiles[index];
            _provider.MatrixMultiplyWithUpdate(
                Transpose.DontTranspose, Transpose.Transpose, 1.0, _panels[row], PanelWidth(row), BlockRows, _panels[column], PanelWidth(column), BlockRows, 1.0, _tiles[index]);
        });
        _pending = 0;
    }
}
