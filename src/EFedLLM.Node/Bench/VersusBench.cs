using EFedLLM.Node.CommandLine;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Bench;

/// <summary>
/// Measures this process and a peer in turn, each turn one repetition of both, so that whatever else the machine does meets both. Both do the same:
/// a prompt into an empty cache, then tokens one by one into an empty cache, each with its logits, of which none is drawn.
/// </summary>
internal static class VersusBench
{
    /// <summary>Measures prefill and decode with each number of threads.</summary>
    /// <param name="model">Our model.</param>
    /// <param name="peer">The peer and its model.</param>
    /// <param name="threads">Numbers of compute threads.</param>
    /// <param name="settings">How long and how often.</param>
    /// <param name="cancellation">Ends it, and the peer.</param>
    /// <exception cref="UserErrorException">The peer cannot be started or fails.</exception>
    public static async Task<VersusReport> RunAsync(FactoredModel model, PeerProgram peer, IReadOnlyList<int> threads, BenchSettings settings, CancellationToken cancellation)
    {
        var samples = new List<VersusSample>();
        PeerResult? told = null;
        foreach (var count in threads)
        {
            told = await MeasureAsync(model, peer, count, settings, samples, cancellation);
        }

        return new VersusReport(
            model.Manifest.Name, model.Manifest.ReadBitsPerWeight, model.Manifest.ReadBytesPerToken, peer.Name, told?.Model, told?.ModelBytes, told?.Build, settings.Repetitions, samples);
    }

    /// <summary>Refuses a peer's file that is not of our model's shape; says why it could not tell.</summary>
    /// <param name="shape">Our model's.</param>
    /// <param name="file">The peer's model.</param>
    /// <returns>Why the shapes could not be compared, or null.</returns>
    /// <exception cref="UserErrorException">They differ.</exception>
    public static string? CheckShape(ModelShape shape, string file)
    {
        ModelShape other;
        try
        {
            using var checkpoint = Checkpoint.Open(file);
            other = checkpoint.Shape;
        }
        catch (Exception error) when (error is InvalidDataException or NotSupportedException)
        {
            return $"Whether \"{file}\" has the shape of our model could not be told: {error.Message}";
        }

        return Sizes(shape) == Sizes(other)
            ? null
            : throw new UserErrorException($"\"{file}\" has {Sizes(other)}, but our model has {Sizes(shape)}: a ratio would mean nothing.");
    }

    private static async Task<PeerResult> MeasureAsync(
        FactoredModel model, PeerProgram peer, int threads, BenchSettings settings, List<VersusSample> samples, CancellationToken cancellation)
    {
        using var session = new ProcessSession(model, threads, settings);
        var ours = new List<(double Prefill, double Decode)>();
        var peers = new List<PeerResult>();

        // What is wrong with a peer is better said before we have measured ourselves.
        await peer.MeasureAsync(threads, settings, cancellation);
        await OursAsync(session, settings, cancellation);
        for (var repetition = 0; repetition < settings.Repetitions; repetition++)
        {
            // Now one goes first and now the other.
            if (repetition % 2 == 0)
            {
                ours.Add(await OursAsync(session, settings, cancellation));
            }

            peers.Add(await peer.MeasureAsync(threads, settings, cancellation));
            if (repetition % 2 == 1)
            {
                ours.Add(await OursAsync(session, settings, cancellation));
            }
        }

        samples.Add(VersusSample.Of("prefill", threads, settings.PromptTokens, [.. ours.Select(turn => turn.Prefill)], [.. peers.Select(turn => turn.Prefill)]));
        samples.Add(VersusSample.Of("decode", threads, settings.DecodeTokens, [.. ours.Select(turn => turn.Decode)], [.. peers.Select(turn => turn.Decode)]));
        return peers[^1];
    }

    /// <summary>One turn of ours, on a thread of its own: tokens per second.</summary>
    private static Task<(double Prefill, double Decode)> OursAsync(ProcessSession session, BenchSettings settings, CancellationToken cancellation) => Task.Factory.StartNew(
        () =>
        {
            cancellation.ThrowIfCancellationRequested();
            return (settings.PromptTokens / session.Prefill().TotalSeconds, settings.DecodeTokens / session.DecodeUndrawn(cancellation).TotalSeconds);
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    private static string Sizes(ModelShape shape) =>
        FormattableString.Invariant($"{shape.Layers} layers of width {shape.HiddenSize} and {shape.IntermediateSize}, {shape.Heads} heads of {shape.HeadSize} ({shape.KeyValueHeads} for keys and values) and {shape.VocabularySize} tokens");
}
