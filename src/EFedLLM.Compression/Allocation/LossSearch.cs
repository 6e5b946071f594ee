using System.Globalization;

namespace EFedLLM.Compression.Allocation;

/// <summary>Looks for the fewest bits with which a measured loss stays within a bound.</summary>
internal static class LossSearch
{
    /// <summary>Bits at which every matrix has its largest form, whatever its padding.</summary>
    private const double AllBits = 16;

    /// <summary>Bits per weight that two plans must lie apart for another measurement between them to be worth its time.</summary>
    private const double Resolution = 0.08;

    /// <summary>A loss of at least this share of the bound is near enough to it.</summary>
    private const double NearEnough = 0.9;

    private const int MostMeasurements = 8;

    /// <summary>Searches. A bit more takes away some three quarters of a loss, which guesses where to measure next; what is measured decides.</summary>
    /// <param name="plan">The plan for a number of bits.</param>
    /// <param name="leastBits">The least number that there is a plan for.</param>
    /// <param name="most">The largest loss, as a share of the perplexity: 0.02 is 2 %.</param>
    /// <param name="measure">Measures the loss of a plan.</param>
    /// <exception cref="InvalidDataException">No plan stays within the bound; the message says what the largest reaches.</exception>
    public static BitPlan Run(Func<double, BitPlan> plan, double leastBits, double most, Func<BitPlan, double> measure)
    {
        var largest = plan(AllBits);
        var (low, high) = (leastBits, largest.BitsPerWeight);
        BitPlan? found = null;
        var bits = Guess(plan, leastBits, largest.BitsPerWeight, most);
        for (var measurement = 0; measurement < MostMeasurements; measurement++)
        {
            var trial = plan(bits);
            var loss = measure(trial);
            if (loss <= most)
            {
                (found, high) = (trial, Math.Min(high, trial.BitsPerWeight));
            }
            else
            {
                low = bits;
            }

            if (high - low < Resolution || (loss <= most && loss >= NearEnough * most))
            {
                break;
            }

            var next = bits + Math.Log(Math.Max(loss, most / 16) / most) / Math.Log(4) + Resolution / 2;
            var margin = Math.Min(Resolution, (high - low) / 4);
            bits = next > low + margin && next < high - margin ? next : (low + high) / 2;
        }

        if (found is not null)
        {
            return found;
        }

        var reached = measure(largest);
        return reached <= most ? largest : throw new InvalidDataException(string.Create(
            CultureInfo.InvariantCulture,
            $"A loss of at most {most:0.###%} cannot be met: the nearest is {reached:0.###%}, with {largest.BitsPerWeight:0.00} bits per weight."));
    }

    /// <summary>The fewest bits whose predicted divergence stays within the bound.</summary>
    private static double Guess(Func<double, BitPlan> plan, double low, double high, double most)
    {
        for (var i = 0; i < 12; i++)
        {
            var middle = (low + high) / 2;
            (low, high) = plan(middle).Loss > Math.Log(1 + most) ? (middle, high) : (low, middle);
        }

        return high;
    }
}
