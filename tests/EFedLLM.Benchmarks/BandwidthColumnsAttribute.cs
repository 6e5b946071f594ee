using BenchmarkDotNet.Configs;

namespace EFedLLM.Benchmarks;

/// <summary>Adds the two columns of <see cref="BandwidthColumn"/> to a benchmark that is an <see cref="IReadsMemory"/>.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class BandwidthColumnsAttribute : Attribute, IConfigSource
{
    public IConfig Config { get; } = ManualConfig.CreateEmpty().AddColumn(new BandwidthColumn(isShare: false), new BandwidthColumn(isShare: true));
}
