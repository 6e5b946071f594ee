using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Calibration;

/// <summary>Computes batches on several threads and shows an observer what they saw as if they had come one after the other.</summary>
internal static class OrderedBatches
{
    /// <summary>Runs the batches.</summary>
    /// <param name="count">Number of batches.</param>
    /// <param name="observer">Sees the inputs of all, or null.</param>
    /// <param name="threads">Threads that may take part.</param>
    /// <param name="run">Computes a batch with the observer that it is given.</param>
    /// <param name="cancellation">Ends the work early.</param>
    public static void Run(int count, IInputObserver? observer, int threads, Action<int, IInputObserver?> run, CancellationToken cancellation)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
        if (observer is null)
        {
            Parallel.For(0, count, options, batch => run(batch, null));
            return;
        }

        // What is seen is kept until its turn has come, so that no more batches are under way than there are threads.
        var recorders = Enumerable.Range(0, Math.Min(threads, count)).Select(_ => new Recorder()).ToArray();
        for (var first = 0; first < count; first += recorders.Length)
        {
            var from = first;
            Parallel.For(0, Math.Min(recorders.Length, count - first), options, index => run(from + index, recorders[index]));
            foreach (var recorder in recorders)
            {
                recorder.Replay(observer);
            }
        }
    }

    private sealed class Recorder : IInputObserver
    {
        private readonly List<(int Unit, InputSite Site, float[] Values, int Rows)> _seen = [];

        public void Observe(int unit, InputSite site, ReadOnlySpan<float> x, int rows) => _seen.Add((unit, site, x.ToArray(), rows));

        public void Replay(IInputObserver observer)
        {
            foreach (var (unit, site, values, rows) in _seen)
            {
                observer.Observe(unit, site, values, rows);
            }

            _seen.Clear();
        }
    }
}
