namespace EFedLLM.Node.Bench;

/// <summary>One measurement of this process and of a peer, taken in turn.</summary>
/// <param name="Phase"><c>prefill</c> or <c>decode</c>.</param>
/// <param name="Threads">Compute threads of each.</param>
/// <param name="Tokens">Tokens of one repetition.</param>
/// <param name="TokensPerSecond">Median of this process.</param>
/// <param name="Deviation">Half of the spread between its quartiles, as a share of the median.</param>
/// <param name="PeerTokensPerSecond">Median of the peer.</param>
/// <param name="PeerDeviation">Half of the spread between its quartiles, as a share of the median.</param>
/// <param name="Ratio">The first median over the second: above 1, this process is faster.</param>
/// <param name="RatioDeviation">Half of the spread between the quartiles of the ratios of single turns.</param>
internal sealed record VersusSample(
    string Phase,
    int Threads,
    int Tokens,
    double TokensPerSecond,
    double Deviation,
    double PeerTokensPerSecond,
    double PeerDeviation,
    double Ratio,
    double RatioDeviation)
{
    /// <summary>Puts the turns together.</summary>
    /// <param name="phase">The phase.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="tokens">Tokens of one repetition.</param>
    /// <param name="ours">Tokens per second of this process, by turn; at least one.</param>
    /// <param name="peers">Tokens per second of the peer, by turn; as many.</param>
    public static VersusSample Of(string phase, int threads, int tokens, IReadOnlyList<double> ours, IReadOnlyList<double> peers)
    {
        var ratios = ours.Zip(peers, (our, peer) => our / peer).ToList();
        var (rate, peerRate) = (Statistics.Quantile(ours, 0.5), Statistics.Quantile(peers, 0.5));
        return new VersusSample(
            phase,
            threads,
            tokens,
            rate,
            Statistics.Deviation(ours),
            peerRate,
            Statistics.Deviation(peers),
            rate / peerRate,
            (Statistics.Quantile(ratios, 0.75) - Statistics.Quantile(ratios, 0.25)) / 2);
    }
}
