using EFedLLM.Compression.Calibration;

namespace EFedLLM.Compression.Tests.Quantization;

/// <summary>Inputs as models have them: a few directions are large, most are small, one never occurs.</summary>
internal static class Moments
{
    public static double[] Skewed(int width, int seed, bool dead = true)
    {
        var count = 4 * width;
        var (noise, mix) = (GroupQuantizerTests.Gaussian(count * width, seed), GroupQuantizerTests.Gaussian(width * width, seed + 1));
        var rows = new float[count * width];
        for (var row = 0; row < count; row++)
        {
            for (var i = 0; i < width; i++)
            {
                for (var k = 0; k < width; k++)
                {
                    rows[row * width + i] += mix[i * width + k] * noise[row * width + k] / (1 + k);
                }

                rows[row * width + i] *= dead && i == width / 2 ? 0 : 1;
            }
        }

        var moment = new SecondMoment(width);
        moment.Add(rows);
        return moment.Mean();
    }
}
