namespace EFedLLM.Node.Bench;

/// <summary>One measurement.</summary>
/// <param name="Where">In process, or the number of devices.</param>
/// <param name="Phase"><c>prefill</c> or <c>decode</c>; <c>decode x 8</c> is all tokens of so many sessions at once.</param>
/// <param name="Threads">Compute threads of each device.</param>
/// <param name="Devices">Device processes; 0 is in this process.</param>
/// <param name="Tokens">Tokens of one repetition.</param>
/// <param name="TokensPerSecond">Median over the repetitions.</param>
/// <param name="Deviation">Half of the spread between the quartiles, as a share of the median.</param>
/// <param name="WeightBytesPerToken">Bytes of weights read per token.</param>
/// <param name="GigabytesPerSecond">Weight bytes read per second, in 10^9.</param>
/// <param name="HopMedianMilliseconds">Median time of a hop without its computing; null in process.</param>
/// <param name="HopP99Milliseconds">99th percentile of it; null in process.</param>
/// <param name="AllocatedBytesPerToken">Bytes allocated per token in this process, or for each of the measured hops by its device; null where nobody counted.</param>
internal sealed record BenchSample(
    string Where,
    string Phase,
    int Threads,
    int Devices,
    int Tokens,
    double TokensPerSecond,
    double Deviation,
    double WeightBytesPerToken,
    double GigabytesPerSecond,
    double? HopMedianMilliseconds,
    double? HopP99Milliseconds,
    double? AllocatedBytesPerToken)
{
    /// <summary>Bytes of weights per token that were read from disk, because memory does not hold them; null where it does.</summary>
    public double? StreamedBytesPerToken { get; init; }

    /// <summary>Resident memory of the process, of the largest one where there are several; null where it was not measured.</summary>
    public long? ResidentBytes { get; init; }

    /// <summary>How much of it is more than weights take: caches, activations, the program itself. The most of all processes.</summary>
    public long? BesideWeightsBytes { get; init; }

    /// <summary>For what is no rate: how long it took.</summary>
    public double? Seconds { get; init; }
}
