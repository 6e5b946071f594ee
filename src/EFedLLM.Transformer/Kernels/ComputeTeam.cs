using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// The compute threads of one device. One caller at a time hands it a loop; the caller's own thread takes part.
/// Never an Akka dispatcher's or the thread pool's threads. A thread without work spins for a moment, because the next
/// loop of a step is microseconds away, and then sleeps, because on a busy machine its core belongs to somebody else.
/// </summary>
public sealed class ComputeTeam : IDisposable
{
    /// <summary>Several chunks a thread: one whose core is taken away holds up a small part of the loop only.</summary>
    private const int ChunksPerThread = 8;

    private const int SpinMicroseconds = 40;
    private const int SpinIterations = 4;

    private const int Idle = 0;
    private const int Running = 1;
    private const int Disposed = 2;

    private static readonly long SpinTicks = Environment.ProcessorCount > 1 ? Stopwatch.Frequency * SpinMicroseconds / 1_000_000 : 0;

    private readonly Worker[] _workers;
    private readonly AutoResetEvent _finished = new(false);
    private IParallelWork? _work;
    private int _count;
    private int _chunks;
    private Exception? _error;
    private int _state;
    private int _callerParked;
    private volatile bool _stopping;

    /// <summary>Chunks that no thread has taken. Taking one by compare-and-swap keeps the loop open until it is done, so the fields above may be read then.</summary>
    private Counter _unclaimed;

    /// <summary>Chunks that are not done.</summary>
    private Counter _unfinished;

    /// <summary>Creates a team of <paramref name="threads"/> threads, the caller's included.</summary>
    public ComputeTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _workers = new Worker[threads - 1];
        for (var i = 0; i < _workers.Length; i++)
        {
            var worker = new Worker();
            worker.Thread = new Thread(() => Work(worker)) { IsBackground = true, Name = $"compute-{i + 1}" };
            _workers[i] = worker;
        }

        foreach (var worker in _workers)
        {
            worker.Thread!.Start();
        }
    }

    /// <summary>Number of threads, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>
    /// Runs <paramref name="work"/> over <c>[0, count)</c> and returns when all of it is done. Allocates nothing. Each
    /// iteration runs once, in contiguous chunks that any thread may get. Chunks begin in ascending order, so that an
    /// iteration may wait for earlier ones that wait for nothing themselves.
    /// </summary>
    /// <param name="work">The loop body. The first exception it throws is thrown here again, after the other threads have stopped; what was not begun by then is left out.</param>
    /// <param name="count">Number of iterations; with 0 nothing is called.</param>
    /// <exception cref="InvalidOperationException">The team is running another loop: it has one caller at a time, and a loop body cannot call it.</exception>
    /// <exception cref="ObjectDisposedException">The team has been disposed of.</exception>
    public void Run(IParallelWork work, int count)
    {
        ArgumentNullException.ThrowIfNull(work);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        switch (Interlocked.CompareExchange(ref _state, Running, Idle))
        {
            case Running:
                throw new InvalidOperationException("This compute team is running another loop: give every concurrent caller a team of its own.");
            case Disposed:
                throw new ObjectDisposedException(nameof(ComputeTeam));
            default:
                break;
        }

        try
        {
            if (count > 1 && _workers.Length > 0)
            {
                RunShared(work, count);
            }
            else if (count > 0)
            {
                work.Run(0, count);
            }
        }
        finally
        {
            Volatile.Write(ref _state, Idle);
        }
    }

    /// <summary>Ends the threads and waits until they are gone.</summary>
    /// <exception cref="InvalidOperationException">A loop is running.</exception>
    public void Dispose()
    {
        switch (Interlocked.CompareExchange(ref _state, Disposed, Idle))
        {
            case Running:
                throw new InvalidOperationException("This compute team is running a loop: wait until the loop's caller has returned, then dispose of the team.");
            case Disposed:
                return;
            default:
                break;
        }

        _stopping = true;
        foreach (var worker in _workers)
        {
            worker.Wake.Set();
        }

        foreach (var worker in _workers)
        {
            worker.Thread!.Join();
            worker.Wake.Dispose();
        }

        _finished.Dispose();
    }

    private void RunShared(IParallelWork work, int count)
    {
        (_work, _count, _chunks, _error) = (work, count, Math.Min(count, Threads * ChunksPerThread), null);
        _unfinished.Value = _chunks;
        Volatile.Write(ref _unclaimed.Value, _chunks);

        // A worker announces that it sleeps and then looks for chunks; here it is the other way round, so one of both sees the other.
        Interlocked.MemoryBarrier();
        var helpers = Math.Min(_workers.Length, _chunks - 1);
        for (var i = 0; i < helpers; i++)
        {
            if (Volatile.Read(ref _workers[i].Parked) == 1 && Interlocked.Exchange(ref _workers[i].Parked, 0) == 1)
            {
                _workers[i].Wake.Set();
            }
        }

        RunChunks();
        WaitUntilFinished();
        _work = null;
        if (_error is { } error)
        {
            _error = null;
            ExceptionDispatchInfo.Throw(error);
        }
    }

    private void Work(Worker self)
    {
        var idleSince = Stopwatch.GetTimestamp();
        while (!_stopping)
        {
            if (RunChunks())
            {
                idleSince = Stopwatch.GetTimestamp();
            }
            else if (Stopwatch.GetTimestamp() - idleSince < SpinTicks)
            {
                Thread.SpinWait(SpinIterations);
            }
            else
            {
                Interlocked.Exchange(ref self.Parked, 1);
                if (Volatile.Read(ref _unclaimed.Value) == 0 && !_stopping)
                {
                    self.Wake.WaitOne();
                }

                // A signal that crosses this line is not lost: the next sleep ends at once and finds nothing to do.
                Volatile.Write(ref self.Parked, 0);
                idleSince = Stopwatch.GetTimestamp();
            }
        }
    }

    /// <summary>Takes and runs chunks until none is left.</summary>
    /// <returns>Whether it ran any.</returns>
    private bool RunChunks()
    {
        var any = false;
        int unclaimed;
        while ((unclaimed = Volatile.Read(ref _unclaimed.Value)) > 0)
        {
            if (Interlocked.CompareExchange(ref _unclaimed.Value, unclaimed - 1, unclaimed) != unclaimed)
            {
                continue;
            }

            any = true;
            RunChunk(_chunks - unclaimed);
            if (Interlocked.Decrement(ref _unfinished.Value) == 0 && Interlocked.Exchange(ref _callerParked, 0) == 1)
            {
                _finished.Set();
            }
        }

        return any;
    }

    private void RunChunk(int chunk)
    {
        if (Volatile.Read(ref _error) is not null)
        {
            return;
        }

        try
        {
            _work!.Run((int)((long)_count * chunk / _chunks), (int)((long)_count * (chunk + 1) / _chunks));
        }
        catch (Exception error)
        {
            Interlocked.CompareExchange(ref _error, error, null);
        }
    }

    private void WaitUntilFinished()
    {
        var since = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _unfinished.Value) != 0)
        {
            if (Stopwatch.GetTimestamp() - since < SpinTicks)
            {
                Thread.SpinWait(SpinIterations);
                continue;
            }

            Interlocked.Exchange(ref _callerParked, 1);
            if (Volatile.Read(ref _unfinished.Value) == 0 && Interlocked.Exchange(ref _callerParked, 0) == 1)
            {
                return;
            }

            // A thread that was slow to leave the loop before may be what signals, hence the loop around this.
            _finished.WaitOne();
        }
    }

    /// <summary>A number on a cache line of its own, and of its neighbour that the hardware fetches along.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Counter
    {
        [FieldOffset(128)]
        public int Value;
    }

    private sealed class Worker
    {
        public AutoResetEvent Wake { get; } = new(false);

        public Thread? Thread { get; set; }

        public int Parked;
    }
}
