using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Benchmarks;

/// <summary>The bytes that a benchmark reads per second, by its mean: in 10^9, or as a share of what as many threads of this machine read that do nothing else.</summary>
/// <param name="isShare">Whether it is the share.</param>
internal sealed class BandwidthColumn(bool isShare) : IColumn
{
    private const int Passes = 24;

    private static readonly Dictionary<int, double> Measured = [];

    public string Id => $"{nameof(BandwidthColumn)}.{ColumnName}";

    public string ColumnName => isShare ? "Of bandwidth" : "GB/s";

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => isShare ? 1 : 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public string Legend => isShare
        ? "Bytes read per second over what as many threads read from memory that do nothing else; above 100 % the bytes come from a cache"
        : "Bytes read per second, in 10^9, by the mean";

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        // Where a benchmark failed there is no time.
        if (summary[benchmarkCase]?.ResultStatistics is not { Mean: > 0 } statistics || Activator.CreateInstance(benchmarkCase.Descriptor.Type) is not IReadsMemory benchmark)
        {
            return "-";
        }

        foreach (var parameter in benchmarkCase.Parameters.Items)
        {
            benchmarkCase.Descriptor.Type.GetProperty(parameter.Name)!.SetValue(benchmark, parameter.Value);
        }

        // Times are in nanoseconds, so that these are 10^9 bytes a second.
        var rate = benchmark.BytesOf(benchmarkCase.Descriptor.WorkloadMethod.Name) / statistics.Mean;
        return isShare ? (rate * 1e9 / Bandwidth(Threads(benchmarkCase))).ToString("P0", CultureInfo.InvariantCulture) : rate.ToString("0.0", CultureInfo.InvariantCulture);
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public bool IsAvailable(Summary summary) => true;

    private static int Threads(BenchmarkCase benchmarkCase) => benchmarkCase.Parameters.Items.FirstOrDefault(parameter => parameter.Name == "Threads")?.Value is int threads ? threads : 1;

    private static double Bandwidth(int threads)
    {
        if (!Measured.TryGetValue(threads, out var bandwidth))
        {
            Measured[threads] = bandwidth = ReadBandwidth.Measure(threads, Passes);
        }

        return bandwidth;
    }
}
