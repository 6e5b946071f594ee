using EFedLLM.Compression.Allocation;

namespace EFedLLM.Compression.Tests.Allocation;

public sealed class BudgetAllocatorTests
{
    [Fact]
    public void Between_two_prices_the_rest_of_the_budget_is_used_and_nothing_is_lost()
    {
        for (var seed = 1; seed <= 30; seed++)
        {
            var choices = Choices(seed, matrices: 4, options: 4);
            var last = double.PositiveInfinity;
            foreach (var price in Enumerable.Range(0, 60).Select(index => 10 * Math.Pow(1.25, -index)))
            {
                var byPrice = choices.Select(options => Enumerable.Range(0, options.Length).MinBy(index => options[index].Loss + price * options[index].Bytes)).ToArray();
                var budget = Bytes(choices, byPrice) + seed % 5;
                var chosen = BudgetAllocator.Choose(choices, budget)!;
                Assert.InRange(Bytes(choices, chosen), 0, budget);
                Assert.True(Loss(choices, chosen) <= Loss(choices, byPrice) + 1e-12, $"seed {seed}, price {price}");
                Assert.True(Loss(choices, chosen) <= last + 1e-12 || seed % 5 > 0, $"seed {seed}: more bytes lose more at price {price}");
                last = Loss(choices, chosen);
            }
        }
    }

    [Fact]
    public void At_the_bytes_that_some_price_leads_to_nothing_is_better()
    {
        for (var seed = 1; seed <= 30; seed++)
        {
            var choices = Choices(seed, matrices: 4, options: 4);
            for (var price = 1e-4; price < 10; price *= 1.3)
            {
                var byPrice = choices.Select(options => Enumerable.Range(0, options.Length).MinBy(index => options[index].Loss + price * options[index].Bytes)).ToArray();
                var budget = Bytes(choices, byPrice);
                var expected = Everything(choices).Where(chosen => Bytes(choices, chosen) <= budget).Min(chosen => Loss(choices, chosen));
                Assert.Equal(expected, Loss(choices, BudgetAllocator.Choose(choices, budget)!), 1e-12);
            }
        }
    }

    [Fact]
    public void A_budget_below_the_smallest_options_has_no_choice_and_one_above_the_largest_has_the_best()
    {
        var choices = Choices(5, matrices: 6, options: 5);
        var least = choices.Sum(options => options.Min(option => option.Bytes));
        Assert.Null(BudgetAllocator.Choose(choices, least - 1));
        Assert.Equal(least, Bytes(choices, BudgetAllocator.Choose(choices, least)!));
        var best = BudgetAllocator.Choose(choices, long.MaxValue / 2)!;
        Assert.Equal(choices.Sum(options => options.Min(option => option.Loss)), Loss(choices, best), 1e-12);
    }

    /// <summary>More bytes mostly lose less, as with bits, but not always.</summary>
    private static List<MatrixOption[]> Choices(int seed, int matrices, int options)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, matrices).Select(_ =>
        {
            var (size, sensitivity) = (random.Next(1, 20), random.NextDouble());
            return Enumerable.Range(0, options).Select(index => new MatrixOption(size * (4 + index) + random.Next(0, 3), sensitivity * Math.Pow(4, -index) * (0.5 + random.NextDouble()))).ToArray();
        })];
    }

    private static IEnumerable<int[]> Everything(List<MatrixOption[]> choices) =>
        choices.Aggregate((IEnumerable<int[]>)[[]], (chosen, options) => chosen.SelectMany(prefix => Enumerable.Range(0, options.Length).Select(index => (int[])[.. prefix, index])));

    private static long Bytes(List<MatrixOption[]> choices, int[] chosen) => chosen.Select((option, matrix) => choices[matrix][option].Bytes).Sum();

    private static double Loss(List<MatrixOption[]> choices, int[] chosen) => chosen.Select((option, matrix) => choices[matrix][option].Loss).Sum();
}
