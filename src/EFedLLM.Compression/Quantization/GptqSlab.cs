using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using EFedLLM.Transformer.Linear;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace EFedLLM.Compression.Quantization;

/// <summary>
/// Rounds some rows of a matrix, block by block of inputs: what the blocks before ask for comes by matrix products,
/// what the block's own weights ask for weight by weight. Eight rows are computed at once, one to a lane.
/// </summary>
internal sealed class GptqSlab
{
    /// <summary>Rows that are rounded together.</summary>
    public const int Rows = 64;

    private const int Lanes = 8;
    private const int WidestGroup = 64;
    private const int Block = ErrorFeedback.Block;

    private readonly QuantizedMatrix _matrix;
    private readonly ScaleSearch _search;
    private readonly ErrorFeedback _feedback;
    private readonly ILinearAlgebraProvider _provider;
    private readonly double[][] _errors; // per block [rows, inputs of the block], column-major: weights less what they became
    private readonly double[] _weights = new double[Rows * Block]; // of the block, [rows, inputs], column-major
    private readonly double[][] _targets; // per width of a block: weights with what earlier blocks ask for

    public GptqSlab(QuantizedMatrix matrix, ScaleSearch search, ErrorFeedback feedback, ILinearAlgebraProvider provider)
    {
        (_matrix, _search, _feedback, _provider) = (matrix, search, feedback, provider);
        _errors = [.. Enumerable.Range(0, feedback.Blocks).Select(block => new double[Rows * feedback.WidthOf(block)])];
        _targets = [new double[Rows * Block], new double[Rows * feedback.WidthOf(feedback.Blocks - 1)]];
    }

    /// <summary>Rounds the rows from <paramref name="firstRow"/> on.</summary>
    public void Round(ReadOnlyMemory<float> weights, int firstRow, CancellationToken cancellation)
    {
        var rows = Math.Min(Rows, _matrix.Outputs - firstRow);
        for (var block = 0; block < _feedback.Blocks; block++)
        {
            cancellation.ThrowIfCancellationRequested();
            var width = _feedback.WidthOf(block);
            var targets = _targets[block == _feedback.Blocks - 1 ? 1 : 0];
            Read(weights.Span, firstRow, rows, block, width);
            _weights.AsSpan(0, Rows * width).CopyTo(targets);
            for (var from = 0; from < block; from++)
            {
                _provider.MatrixMultiplyWithUpdate(
                    Transpose.DontTranspose, Transpose.DontTranspose, 1.0, _errors[from], Rows, Block, _feedback.Tile(from, block), Block, width, 1.0, targets);
            }

            for (var start = 0; start < width; start += _matrix.Group)
            {
                for (var lane = 0; lane < rows; lane += Lanes)
                {
                    RoundGroup(firstRow, rows, block, start, Math.Min(_matrix.Group, width - start), lane, targets);
                }
            }
        }
    }

    /// <summary>The weights of a block, one column after the other; rows beyond the matrix are zero.</summary>
    private void Read(ReadOnlySpan<float> weights, int firstRow, int rows, int block, int width)
    {
        _weights.AsSpan().Clear();
        for (var row = 0; row < rows; row++)
        {
            var source = weights.Slice((firstRow + row) * _matrix.Inputs + block * Block, width);
            for (var column = 0; column < width; column++)
            {
                _weights[column * Rows + row] = source[column];
            }
        }
    }

    [SkipLocalsInit]
    private void RoundGroup(int firstRow, int rows, int block, int start, int length, int lane, double[] targets)
    {
        var feedback = _feedback.Tile(block, block);
        var height = _feedback.WidthOf(block);
        var errors = _errors[block];
        Span<Vector512<double>> wanted = stackalloc Vector512<double>[WidestGroup];
        Span<Vector512<double>> weights = stackalloc Vector512<double>[WidestGroup];
        Span<Vector512<double>> lost = stackalloc Vector512<double>[WidestGroup];
        Span<Vector512<double>> integers = stackalloc Vector512<double>[WidestGroup];
        for (var j = 0; j < length; j++)
        {
            var column = start + j;
            weights[j] = Vector512.Create(_weights.AsSpan(column * Rows + lane, Lanes));
            var sum = Vector512.Create(targets.AsSpan(column * Rows + lane, Lanes));
            for (var i = 0; i < start; i++)
            {
                sum = Vector512.FusedMultiplyAdd(Vector512.Create(errors.AsSpan(i * Rows + lane, Lanes)), Vector512.Create(feedback[column * height + i]), sum);
            }

            wanted[j] = sum;
        }

        var group = new Group(feedback.AsSpan(start * height + start), height, _feedback.Weights.Slice(block * Block + start, length), length);
        var plain = PlainScale(wanted[..length]);
        var best = Vector512<double>.Zero;
        var least = Vector512.Create(double.PositiveInfinity);
        for (var trial = 0; trial < _search.Trials; trial++)
        {
            var scale = ToBFloat16(plain * Vector512.Create(_search.First - trial * _search.Step));
            var loss = RoundAt(scale, group, wanted, weights, lost, integers);
            var better = Vector512.LessThan(loss, least);
            best = Vector512.ConditionalSelect(better, scale, best);
            least = Vector512.ConditionalSelect(better, loss, least);
        }

        RoundAt(best, group, wanted, weights, lost, integers);
        Write(firstRow, rows, block * Block + start, length, lane, best, integers);
        for (var j = 0; j < length; j++)
        {
            lost[j].CopyTo(errors.AsSpan((start + j) * Rows + lane, Lanes));
        }
    }

    /// <summary>Rounds a group with a scale for each lane.</summary>
    /// <param name="scale">The scales.</param>
    /// <param name="group">What the group's weights ask of one another, and what their errors cost.</param>
    /// <param name="wanted">Weights with what the weights before the group ask for.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="lost">Receives the weights less what they became.</param>
    /// <param name="integers">Receives the integers.</param>
    /// <returns>The S-weighted error of each lane.</returns>
    private Vector512<double> RoundAt(
        Vector512<double> scale,
        Group group,
        ReadOnlySpan<Vector512<double>> wanted,
        ReadOnlySpan<Vector512<double>> weights,
        Span<Vector512<double>> lost,
        Span<Vector512<double>> integers)
    {
        var (low, high) = (Vector512.Create((double)_search.Least), Vector512.Create((double)_search.Most));
        var inverse = Vector512.ConditionalSelect(Vector512.GreaterThan(scale, Vector512<double>.Zero), Vector512<double>.One / scale, Vector512<double>.Zero);
        var loss = Vector512<double>.Zero;
        for (var j = 0; j < group.Length; j++)
        {
            // Two sums in flight hide half of the latency.
            var column = group.Column(j);
            var (sum, other) = (wanted[j], Vector512<double>.Zero);
            var i = 0;
            for (; i + 1 < j; i += 2)
            {
                sum = Vector512.FusedMultiplyAdd(lost[i], Vector512.Create(column[i]), sum);
                other = Vector512.FusedMultiplyAdd(lost[i + 1], Vector512.Create(column[i + 1]), other);
            }

            if (i < j)
            {
                sum = Vector512.FusedMultiplyAdd(lost[i], Vector512.Create(column[i]), sum);
            }

            sum += other;
            var integer = Vector512.Min(Vector512.Max(Vector512.Round(sum * inverse), low), high);
            var rounded = integer * scale;
            var missed = sum - rounded;
            loss = Vector512.FusedMultiplyAdd(missed * missed, Vector512.Create(group.Costs[j]), loss);
            lost[j] = weights[j] - rounded;
            integers[j] = integer;
        }

        return loss;
    }

    /// <summary>The least scale that cuts no weight off.</summary>
    private Vector512<double> PlainScale(ReadOnlySpan<Vector512<double>> wanted)
    {
        var (least, most) = (Vector512<double>.Zero, Vector512<double>.Zero);
        foreach (var value in wanted)
        {
            least = Vector512.Min(least, value);
            most = Vector512.Max(most, value);
        }

        return Vector512.Max(least / Vector512.Create((double)_search.Least), most / Vector512.Create((double)_search.Most));
    }

    private static Vector512<double> ToBFloat16(Vector512<double> scale)
    {
        Span<double> lanes = stackalloc double[Lanes];
        scale.CopyTo(lanes);
        foreach (ref var lane in lanes)
        {
            lane = BFloat16.ToSingle(BFloat16.FromSingle((float)lane));
        }

        return Vector512.Create((ReadOnlySpan<double>)lanes);
    }

    private void Write(int firstRow, int rows, int column, int length, int lane, Vector512<double> scale, ReadOnlySpan<Vector512<double>> integers)
    {
        for (var i = 0; i < Math.Min(Lanes, rows - lane); i++)
        {
            var row = firstRow + lane + i;
            _matrix.Scales[row * _matrix.Groups + column / _matrix.Group] = BFloat16.FromSingle((float)scale[i]);
            var target = _matrix.Weights.AsSpan(row * _matrix.PaddedInputs + column, length);
            for (var j = 0; j < length; j++)
            {
                target[j] = (sbyte)integers[j][i];
            }
        }
    }

    /// <summary>What the weights of a group ask of one another: F and D, cut out.</summary>
    private readonly ref struct Group(ReadOnlySpan<double> feedback, int height, ReadOnlySpan<double> costs, int length)
    {
        private readonly ReadOnlySpan<double> _feedback = feedback;

        public ReadOnlySpan<double> Costs { get; } = costs;

        public int Length { get; } = length;

        /// <summary>What weight <paramref name="index"/> takes over from those before it, [index].</summary>
        public ReadOnlySpan<double> Column(int index) => _feedback.Slice(index * height, index);
    }
}
