using EFedLLM.Compression.Calibration;
using EFedLLM.Compression.Tests.Quantization;

namespace EFedLLM.Compression.Tests.Calibration;

public sealed class SecondMomentTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 300)]
    [InlineData(40, 256)]
    [InlineData(600, 20)]
    public void It_is_the_mean_of_the_products_of_inputs(int width, int count)
    {
        var rows = GroupQuantizerTests.Gaussian(width * count, seed: width);
        var moment = new SecondMoment(width);
        moment.Add(rows);
        Assert.Equal(count, moment.Count);
        var mean = moment.Mean();
        for (var i = 0; i < width; i++)
        {
            for (var j = 0; j < width; j++)
            {
                var expected = Enumerable.Range(0, count).Sum(row => (double)rows[row * width + i] * rows[row * width + j]) / count;
                Assert.Equal(expected, mean[i * width + j], 1e-12);
                Assert.Equal(mean[j * width + i], mean[i * width + j]);
            }
        }
    }

    [Fact]
    public void Its_bits_depend_neither_on_portions_nor_on_threads()
    {
        const int Width = 1100, Count = 300;
        var rows = GroupQuantizerTests.Gaussian(Width * Count, seed: 5);
        var (whole, pieces) = (new SecondMoment(Width, threads: 1), new SecondMoment(Width, threads: 3));
        whole.Add(rows);
        for (var (row, size) = (0, 1); row < Count; row += size, size = size % 70 + 1)
        {
            pieces.Add(rows.AsSpan(row * Width, Math.Min(size, Count - row) * Width));
        }

        Assert.Equal(whole.Mean(), pieces.Mean());
    }

    [Fact]
    public void Inputs_that_are_not_whole_and_a_mean_of_nothing_are_refused()
    {
        var moment = new SecondMoment(3);
        Assert.Throws<InvalidOperationException>(moment.Mean);
        Assert.Throws<ArgumentException>(() => moment.Add(new float[4]));
    }

    [Fact]
    public void The_output_error_is_what_outputs_change_by_on_average()
    {
        const int Outputs = 5, Inputs = 9, Count = 50;
        var rows = GroupQuantizerTests.Gaussian(Inputs * Count, seed: 1);
        double[] difference = [.. GroupQuantizerTests.Gaussian(Outputs * Inputs, seed: 2)];
        var moment = new SecondMoment(Inputs);
        moment.Add(rows);
        var expected = Enumerable.Range(0, Count).Sum(row => Enumerable.Range(0, Outputs).Sum(output =>
            Math.Pow(Enumerable.Range(0, Inputs).Sum(input => difference[output * Inputs + input] * rows[row * Inputs + input]), 2))) / Count;
        Assert.Equal(expected, OutputError.Of(difference, Outputs, moment.Mean(), Inputs), 1e-9 * expected);
    }
}
