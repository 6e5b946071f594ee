using Akka.Actor;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Kernels;
using static EFedLLM.Actors.Tests.Layers.TestSessions;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>The plain parts of a shard: queue, window, line, memory and thread.</summary>
public sealed class ShardPartsTests
{
    private static readonly OpenSession Session = Open(Route(Model, [First, Middle, Last], [ActorRefs.Nobody, ActorRefs.Nobody, ActorRefs.Nobody]), 1, ActorRefs.Nobody);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Steps_come_out_as_they_went_in_however_they_are_cut(int seed)
    {
        var random = new Random(seed);
        var (queue, position, expected) = (new StepQueue(), 0, new List<float>());
        var (taken, draws, drawn) = (new List<float>(), 0, 0);
        long paid = 0, cost = 0;
        for (var round = 0; round < 300; round++)
        {
            for (var piece = random.Next(3); piece > 0; piece--)
            {
                var (rows, sample) = (random.Next(1, 7), random.Next(4) == 0);
                var hidden = Enumerable.Range(position * 8, rows * 8).Select(value => (float)value).ToArray();
                var time = random.Next(1000);
                queue.Add(new StepPiece(position, rows, sample, default, hidden, [time]));
                (position, draws, cost) = (position + rows, draws + (sample ? 1 : 0), cost + time);
                expected.AddRange(hidden);
            }

            drawn += Take(queue, random.Next(1, 10), taken, ref paid);
        }

        while (queue.Rows > 0)
        {
            drawn += Take(queue, 5, taken, ref paid);
        }

        Assert.Equal(expected, taken);
        Assert.Equal((draws, cost, 0), (drawn, paid, queue.Bytes));
    }

    [Fact]
    public void A_window_lets_so_many_messages_out_and_another_for_each_credit()
    {
        var window = new SendWindow(2);
        for (var position = 0; position < 4; position++)
        {
            window.Add(Hidden(Session, position, 1));
        }

        Assert.Equal([0, 1], Sent(window));
        Assert.False(window.Acknowledge(1));
        Assert.True(window.Acknowledge(0));
        Assert.False(window.Acknowledge(0));
        Assert.Equal([2], Sent(window));
        Assert.False(window.IsEmpty);
        Assert.True(window.Acknowledge(1) && window.Acknowledge(2));
        Assert.Equal([3], Sent(window));
        Assert.True(window.IsEmpty);
        Assert.Equal(1, window.UnderWay);
    }

    [Theory]
    [InlineData("100 1 1 1", 16, 1000, "13 1 1 1")]
    [InlineData("100 100 1", 16, 1000, "14 1 1")]
    [InlineData("1 100 1", 16, 1000, "1 14 1")]
    [InlineData("5 5 5", 16, 1000, "5 5 5")]
    [InlineData("5 5 5", 3, 1000, "1 1 1")]
    [InlineData("5 5 5", 2, 1000, "1 1")]
    [InlineData("1 100 1", 512, 8, "1 8 1")]
    [InlineData("100 100 100 1", 512, 8, "8 1 1 1")]
    [InlineData("5 100 1", 512, 8, "5 3 1")]
    public void Everybody_who_waits_is_in_the_next_batch_and_the_rest_is_for_the_first(string waiting, int room, int longRows, string expected)
    {
        var line = new BatchLine();
        foreach (var rows in waiting.Split(' ').Select(int.Parse))
        {
            var session = new ShardSession(Session, 0, default);
            session.Accept(new StepPiece(0, rows, false, new int[rows], default, []));
            line.Join(session);
            line.Join(session);
        }

        var shares = new List<int>();
        line.Fill(room, longRows, (session, most) =>
        {
            shares.Add(Math.Min(most, session.Steps.Rows));
            return shares[^1];
        });
        Assert.Equal(expected, string.Join(' ', shares));
        Assert.Equal(waiting.Split(' ').Length == shares.Count, line.IsEmpty);
    }

    [Fact]
    public void Beside_next_tokens_a_batch_takes_as_many_rows_as_make_it_twice_as_long()
    {
        var pace = new BatchPace();
        Assert.Equal(BatchPace.FirstRows, pace.Rows);
        pace.Learn(longRows: 0, microseconds: 10_000);
        Assert.Equal(BatchPace.FirstRows, pace.Rows);
        pace.Learn(longRows: 100, microseconds: 110_000);
        Assert.Equal(10, pace.Rows);

        // What is not worth while any more is not made shorter, and a batch that seems to cost nothing harms nothing.
        pace.Learn(longRows: 100, microseconds: 10_000_000);
        Assert.Equal(BatchPace.LeastRows, pace.Rows);
        for (var batch = 0; batch < 1000; batch++)
        {
            pace.Learn(longRows: 100, microseconds: 1);
        }

        Assert.InRange(pace.Rows, BatchPace.LeastRows, int.MaxValue);
    }

    [Fact]
    public void Memory_is_never_given_twice()
    {
        var budget = new CacheBudget(1000);
        var granted = 0;
        Parallel.For(0, 1000, _ =>
        {
            if (budget.TryReserve(7))
            {
                Interlocked.Increment(ref granted);
            }
        });
        Assert.Equal((142, 994), (granted, budget.Reserved));
        Assert.False(budget.TryReserve(long.MaxValue));
        budget.Release(994);
        Assert.Equal(0, budget.Reserved);
        Assert.Throws<InvalidOperationException>(() => budget.Release(1));
    }

    [Fact]
    public async Task A_worker_does_its_jobs_in_order_on_one_thread_of_its_own()
    {
        var worker = new ShardWorker(2, 4);
        var (gate, started, ended) = (new SemaphoreSlim(0), new TaskCompletionSource(), new TaskCompletionSource());
        var order = new List<(int Job, int Thread, bool IsPooled, int Threads)>();
        void Note(int job, ComputeTeam team) => order.Add((job, Environment.CurrentManagedThreadId, Thread.CurrentThread.IsThreadPoolThread, team.Threads));
        Assert.True(worker.TryEnqueue(new ComputeJob(team =>
        {
            Note(0, team);
            started.SetResult();
            gate.Wait();
        })));
        await started.Task.WaitAsync(TimeSpan.FromSeconds(30));
        for (var job = 1; job <= 4; job++)
        {
            var number = job;
            Assert.True(worker.TryEnqueue(new ComputeJob(team => Note(number, team))));
        }

        Assert.False(worker.TryEnqueue(new ComputeJob(_ => { })));
        worker.End(ended.SetResult);
        Assert.False(worker.TryEnqueue(new ComputeJob(_ => { })));
        gate.Release();
        await ended.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal([0, 1, 2, 3, 4], order.Select(entry => entry.Job));
        Assert.All(order, entry => Assert.Equal((order[0].Thread, false, 2), (entry.Thread, entry.IsPooled, entry.Threads)));
    }

    [Theory]
    [InlineData(64, 192)]
    [InlineData(2048, 6)]
    [InlineData(12288, 1)]
    [InlineData(32768, 1)]
    public void As_many_rows_travel_together_as_a_message_has_room_for_but_one_at_least(int width, int rows)
        => Assert.Equal(rows, Activations.RowsPerMessage(width, ProtocolLimits.ActivationBytes));

    [Fact]
    public async Task A_job_that_throws_is_told_and_the_next_is_done()
    {
        var (told, done) = (new TaskCompletionSource<Exception>(), new TaskCompletionSource());
        var worker = new ShardWorker(1, 4, failed: told.SetResult);
        worker.TryEnqueue(new ComputeJob(_ => throw new InvalidDataException("broken")));
        worker.TryEnqueue(new ComputeJob(_ => done.SetResult()));
        Assert.IsType<InvalidDataException>(await told.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        await done.Task.WaitAsync(TimeSpan.FromSeconds(30));
        worker.End();
    }

    private static int Take(StepQueue queue, int most, List<float> taken, ref long paid)
    {
        var session = new ShardSession(Session, 0, default);
        var slot = new BatchSlot { Session = session, Step = new() { Cache = null! } };
        slot.Reset(session);
        queue.Take(most, slot);
        Assert.InRange(slot.Rows, 0, most);
        var rows = new float[slot.Rows * 8];
        slot.CopyHidden(rows, 8);
        Assert.True(slot.Rows == 0 || rows[0] == slot.Position * 8);
        taken.AddRange(rows);
        paid += slot.Before[0];
        return slot.Sample ? 1 : 0;
    }

    private static List<int> Sent(SendWindow window)
    {
        var sent = new List<int>();
        while (window.Next() is { } message)
        {
            sent.Add(message.Position);
        }

        return sent;
    }
}
