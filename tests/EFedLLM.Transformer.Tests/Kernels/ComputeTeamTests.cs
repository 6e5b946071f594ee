using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Tests.Kernels;

public sealed class ComputeTeamTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void Every_iteration_runs_once(int threads)
    {
        using var team = new ComputeTeam(threads);
        for (var count = 0; count <= 150; count++)
        {
            var times = new int[count];
            team.Run(new Work((from, to) =>
            {
                Assert.InRange(from, 0, to - 1);
                for (var i = from; i < to; i++)
                {
                    Interlocked.Increment(ref times[i]);
                }
            }), count);
            Assert.All(times, time => Assert.Equal(1, time));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void An_iteration_may_wait_for_an_earlier_one(int threads)
    {
        using var team = new ComputeTeam(threads);
        using var first = new ManualResetEventSlim();
        using var later = new ManualResetEventSlim();
        team.Run(new Work((from, _) =>
        {
            if (from == 0)
            {
                Assert.True(later.Wait(Patience));
                first.Set();
                return;
            }

            later.Set();
            Assert.True(first.Wait(Patience));
        }), 64);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void All_threads_work_at_once_the_caller_and_threads_of_its_own(int threads)
    {
        using var team = new ComputeTeam(threads);
        var members = Meet(team);
        Assert.Equal(threads, members.Distinct().Count());
        Assert.Contains(Thread.CurrentThread, members);
        Assert.All(members.Where(member => member != Thread.CurrentThread), member => Assert.False(member.IsThreadPoolThread));
    }

    [Fact]
    public void Sleeping_threads_are_woken()
    {
        using var team = new ComputeTeam(3);
        var members = Meet(team);
        for (var i = 0; i < 20; i++)
        {
            WaitUntilAsleep(members);
            Assert.Equal(3, Meet(team).Distinct().Count());
        }
    }

    [Fact]
    public void A_caller_that_sleeps_is_woken_by_the_last_thread()
    {
        using var team = new ComputeTeam(2);
        var caller = Thread.CurrentThread;
        using var both = new Barrier(2);
        for (var i = 0; i < 20; i++)
        {
            team.Run(new Work((_, _) =>
            {
                both.SignalAndWait(Patience);
                if (Thread.CurrentThread != caller)
                {
                    Assert.True(SpinWait.SpinUntil(() => (caller.ThreadState & ThreadState.WaitSleepJoin) != 0, Patience), "A waiting caller does not go to sleep.");
                }
            }), 2);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Many_short_loops_lose_nothing(int threads)
    {
        using var team = new ComputeTeam(threads);
        var sum = new Sum();
        var expected = 0L;
        for (var i = 0; i < 50_000; i++)
        {
            var count = i % 23;
            team.Run(sum, count);
            expected += count * (count - 1L) / 2;
            if (i % 1000 == 0)
            {
                Assert.Equal(expected, sum.Value);
            }
        }

        Assert.Equal(expected, sum.Value);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void An_exception_of_any_thread_reaches_the_caller_and_the_team_goes_on(int threads)
    {
        using var team = new ComputeTeam(threads);
        for (var thrower = 0; thrower < 40; thrower++)
        {
            var error = Assert.Throws<InvalidDataException>(() => team.Run(new Work((from, to) =>
            {
                if (thrower >= from && thrower < to)
                {
                    throw new InvalidDataException("broken");
                }
            }), 40));
            Assert.Equal("broken", error.Message);
        }

        Assert.Equal(threads, Meet(team).Distinct().Count());
    }

    [Fact]
    public void An_exception_on_a_thread_of_the_team_reaches_the_caller()
    {
        using var team = new ComputeTeam(2);
        var caller = Thread.CurrentThread;
        using var both = new Barrier(2);
        Assert.Throws<InvalidDataException>(() => team.Run(new Work((_, _) =>
        {
            both.SignalAndWait(Patience);
            if (Thread.CurrentThread != caller)
            {
                throw new InvalidDataException();
            }
        }), 2));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_second_caller_is_refused(int threads)
    {
        using var team = new ComputeTeam(threads);
        Exception? fromOutside = null;
        Exception? fromInside = null;
        Exception? fromDispose = null;
        team.Run(new Work((_, _) =>
        {
            var other = new Thread(() => fromOutside = Record.Exception(() => team.Run(new Sum(), 5)));
            other.Start();
            other.Join();
            fromInside = Record.Exception(() => team.Run(new Sum(), 5));
            fromDispose = Record.Exception(team.Dispose);
        }), 1);
        Assert.Contains("team of its own", Assert.IsType<InvalidOperationException>(fromOutside).Message, StringComparison.Ordinal);
        Assert.IsType<InvalidOperationException>(fromInside);
        Assert.IsType<InvalidOperationException>(fromDispose);
        team.Run(new Sum(), 5);
    }

    [Fact]
    public void Disposing_ends_the_threads_and_refuses_further_work()
    {
        var team = new ComputeTeam(3);
        var members = Meet(team);
        team.Dispose();
        team.Dispose();
        Assert.All(members.Where(member => member != Thread.CurrentThread), member => Assert.False(member.IsAlive));
        Assert.Throws<ObjectDisposedException>(() => team.Run(new Sum(), 5));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Running_allocates_nothing_on_any_thread(int threads)
    {
        using var team = new ComputeTeam(threads);
        var members = Meet(team);
        var probe = new AllocationProbe(members.Distinct().ToArray());
        for (var i = 0; i < 5; i++)
        {
            // The first sleep of a thread allocates what the runtime needs for it.
            WaitUntilAsleep(members);
            Meet(team, probe);
        }

        probe.Begin();
        for (var i = 0; i < 2000; i++)
        {
            probe.Measure(team);
        }

        Assert.Equal(new long[threads], probe.Allocated());
    }

    [Fact]
    public void Impossible_arguments_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new ComputeTeam(0));
        using var team = new ComputeTeam(1);
        Assert.Throws<ArgumentNullException>(() => team.Run(null!, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => team.Run(new Sum(), -1));
    }

    /// <summary>Runs a loop in which every thread must take part for it to end, and then does something in each.</summary>
    private static Thread[] Meet(ComputeTeam team, IParallelWork? then = null)
    {
        using var all = new Barrier(team.Threads);
        var members = new Thread[team.Threads];
        team.Run(new Work((from, to) =>
        {
            for (var i = from; i < to; i++)
            {
                members[i] = Thread.CurrentThread;
            }

            Assert.True(team.Threads == 1 || all.SignalAndWait(Patience), "A thread of the team does not come.");
            then?.Run(from, to);
        }), team.Threads);
        return members;
    }

    private static void WaitUntilAsleep(Thread[] members)
    {
        var workers = members.Where(member => member != Thread.CurrentThread).ToList();
        Assert.True(SpinWait.SpinUntil(() => workers.All(worker => (worker.ThreadState & ThreadState.WaitSleepJoin) != 0), Patience), "An idle thread does not go to sleep.");
    }

    private sealed class Work(Action<int, int> body) : IParallelWork
    {
        public void Run(int from, int to) => body(from, to);
    }

    private sealed class Sum : IParallelWork
    {
        private long _value;

        public long Value => Volatile.Read(ref _value);

        public void Run(int from, int to)
        {
            for (var i = from; i < to; i++)
            {
                Interlocked.Add(ref _value, i);
            }
        }
    }

    private sealed class AllocationProbe(Thread[] threads) : IParallelWork
    {
        private readonly long[] _before = new long[threads.Length];
        private readonly long[] _after = new long[threads.Length];

        public void Measure(ComputeTeam team) => team.Run(this, threads.Length * 8);

        public void Begin() => _after.CopyTo(_before, 0);

        public long[] Allocated() => [.. _after.Zip(_before, (after, before) => after - before)];

        public void Run(int from, int to)
        {
            for (var i = 0; i < threads.Length; i++)
            {
                if (threads[i] == Thread.CurrentThread)
                {
                    _after[i] = GC.GetAllocatedBytesForCurrentThread();
                }
            }
        }
    }
}
