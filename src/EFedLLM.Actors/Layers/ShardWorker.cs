using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// The one thread that computes for a device. All its shards share it, so that two batches never fight for the same cores, and no
/// dispatcher's thread ever computes. Jobs run one after the other in the order in which they came.
/// </summary>
internal sealed class ShardWorker
{
    private readonly object _gate = new();
    private readonly Queue<IComputeJob> _jobs;
    private readonly int _capacity;
    private readonly int _threads;
    private readonly Action<Exception>? _failed;
    private Action? _atEnd;
    private bool _isEnding;

    /// <summary>Starts the thread.</summary>
    /// <param name="threads">Threads that share the work of one job, at least 1.</param>
    /// <param name="capacity">Most jobs that wait.</param>
    /// <param name="name">The thread's name.</param>
    /// <param name="failed">Told, on that thread, of a job that threw all the same, so that it can be logged; the thread goes on.</param>
    public ShardWorker(int threads, int capacity, string name = "efedllm compute", Action<Exception>? failed = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        (_threads, _capacity, _failed) = (threads, capacity, failed);
        _jobs = new Queue<IComputeJob>(capacity);
        new Thread(Work) { Name = name, IsBackground = true }.Start();
    }

    /// <summary>Hands over a job. False when too many wait already, or the worker ends.</summary>
    public bool TryEnqueue(IComputeJob job)
    {
        ArgumentNullException.ThrowIfNull(job);
        lock (_gate)
        {
            if (_isEnding || _jobs.Count >= _capacity)
            {
                return false;
            }

            _jobs.Enqueue(job);
            Monitor.Pulse(_gate);
            return true;
        }
    }

    /// <summary>Takes no more jobs; the thread ends after those that wait, and then does <paramref name="atEnd"/>. Does not wait for it.</summary>
    public void End(Action? atEnd = null)
    {
        lock (_gate)
        {
            if (!_isEnding)
            {
                (_isEnding, _atEnd) = (true, atEnd);
                Monitor.Pulse(_gate);
            }
        }
    }

    private void Work()
    {
        using var team = new ComputeTeam(_threads);
        while (Next() is { } job)
        {
            try
            {
                job.Run(team);
            }
            catch (Exception e)
            {
                _failed?.Invoke(e);
            }
        }

        _atEnd?.Invoke();
    }

    private IComputeJob? Next()
    {
        lock (_gate)
        {
            while (_jobs.Count == 0 && !_isEnding)
            {
                Monitor.Wait(_gate);
            }

            return _jobs.TryDequeue(out var job) ? job : null;
        }
    }
}
