using EFedLLM.Actors.Layers;

namespace EFedLLM.Actors.Tests.Layers;

public sealed class ThreadTimeTests
{
    [Fact]
    public void It_grows_while_the_thread_computes()
    {
        var (start, turns) = (ThreadTime.Microseconds(), 0L);
        while (ThreadTime.Microseconds() - start < 1000)
        {
            turns++;
        }

        Assert.True(turns > 1);
    }

    [Fact]
    public void It_stands_still_while_the_thread_waits()
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS())
        {
            return;
        }

        using var never = new ManualResetEvent(false);
        var start = ThreadTime.Microseconds();
        Assert.False(never.WaitOne(200));
        Assert.InRange(ThreadTime.Microseconds() - start, 0, 100_000);
    }
}
