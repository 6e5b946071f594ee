using System.Diagnostics;
using EFedLLM.Transformer.Tests.Support;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>An honest fleet of different processors, threads and batches: nobody ever differs from anybody.</summary>
public sealed class HonestFleetTests(ITestOutputHelper output)
{
    private const long Most = 1_000_000;

    private static readonly Lazy<string> Wide = new(() => BitResults.Hash(new HonestUnits()));

    public static TheoryData<VectorWidth> Narrower => VectorWidthProcesses.Narrower;

    [Theory]
    [MemberData(nameof(Narrower))]
    public async Task Units_that_were_served_with_wide_vectors_pass_where_they_are_recomputed_with_narrow_ones(VectorWidth width)
    {
        var wide = Wide.Value;
        Assert.InRange(HonestUnits.Checked, HonestUnits.Fewest, 10 * HonestUnits.Fewest);
        Assert.Equal(0, HonestUnits.Mismatches);
        Assert.Equal(wide, Assert.Single(await VectorWidthProcesses.HashAsync(width, typeof(HonestUnits))));
    }

    /// <summary>A quarter of the units at each width, each of which is recomputed there by another device; and what was signed at one width is what was signed at the others.</summary>
    [Trait("Category", "Long")]
    [Fact]
    public async Task Many_units_of_an_honest_fleet_have_no_mismatch()
    {
        var units = Environment.GetEnvironmentVariable("UNITS") is { Length: > 0 } text ? long.Parse(text) : Most;
        Environment.SetEnvironmentVariable(HonestUnits.Variable, $"{(units + 3) / 4}");
        try
        {
            var watch = Stopwatch.StartNew();
            var wide = BitResults.Hash(new HonestUnits());
            var each = HonestUnits.Checked;
            output.WriteLine($"| widest | {each} | {HonestUnits.Mismatches} | {watch.Elapsed.TotalSeconds:0} |");
            Assert.Equal(0, HonestUnits.Mismatches);
            foreach (var width in (VectorWidth[])[VectorWidth.Bits256, VectorWidth.Bits128, VectorWidth.Scalar])
            {
                watch.Restart();
                Assert.Equal(wide, Assert.Single(await VectorWidthProcesses.HashAsync(width, TimeSpan.FromHours(1), typeof(HonestUnits))));
                output.WriteLine($"| {width} | {each} | 0 | {watch.Elapsed.TotalSeconds:0} |");
            }

            Assert.True(4 * each >= units);
        }
        finally
        {
            Environment.SetEnvironmentVariable(HonestUnits.Variable, null);
        }
    }
}
