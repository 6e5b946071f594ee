using EFedLLM.Compression.Allocation;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Tests.Allocation;

public sealed class LossSearchTests
{
    private const double Least = 4.3;
    private const double Largest = 8.5;

    [Theory]
    [InlineData(0.02, 1)]
    [InlineData(0.02, 3)]
    [InlineData(0.005, 0.3)]
    [InlineData(0.1, 1)]
    public void It_finds_nearly_the_fewest_bits_that_keep_a_loss_however_far_predictions_are_off(double most, double factor)
    {
        var measured = 0;
        var plan = LossSearch.Run(PlanFor, Least, most, trial =>
        {
            measured++;
            return factor * LossAt(trial.BitsPerWeight);
        });
        var exact = 6 - Math.Log(most / factor / LossAt(6)) / Math.Log(4);
        Assert.InRange(factor * LossAt(plan.BitsPerWeight), 0, most);
        Assert.InRange(plan.BitsPerWeight, Math.Max(exact, Least) - 1e-9, Math.Max(exact, Least) + 0.25);
        Assert.InRange(measured, 1, 8);
    }

    [Fact]
    public void A_loss_that_no_number_of_bits_keeps_is_refused_with_the_nearest()
    {
        var error = Assert.Throws<InvalidDataException>(() => LossSearch.Run(PlanFor, Least, 1e-6, trial => LossAt(trial.BitsPerWeight)));
        Assert.Contains("8.50 bits", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_largest_forms_are_tried_before_giving_up()
    {
        var plan = LossSearch.Run(PlanFor, Least, 0.01, trial => trial.BitsPerWeight < Largest ? 1 : 0);
        Assert.Equal(Largest, plan.BitsPerWeight);
    }

    private static double LossAt(double bits) => 0.01 * Math.Pow(4, 6 - bits);

    private static BitPlan PlanFor(double bits)
    {
        var taken = Math.Min(bits, Largest);
        var form = new MatrixForm(1, "x", 1, 1, new GroupForm(8, 32), 0, null, 1);
        return new BitPlan([new PlannedMatrix(form, LossAt(taken))], taken, 0);
    }
}
