using System.Runtime.InteropServices;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public class TerminationSignalsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>The second signal is heard only when the handler of the first has returned.</summary>
    [Fact]
    public async Task The_first_signal_cancels_and_does_not_wait_for_what_that_begins()
    {
        using var signals = new TerminationSignals();
        using var mayEnd = new ManualResetEventSlim();
        var began = new TaskCompletionSource();
        using var slow = signals.Token.Register(() =>
        {
            began.SetResult();
            mayEnd.Wait(Patience);
        });
        var context = new PosixSignalContext(PosixSignal.SIGINT);
        await Task.Run(() => signals.Handle(context)).WaitAsync(Patience);
        await began.Task.WaitAsync(Patience);
        Assert.False(mayEnd.IsSet);
        Assert.True(context.Cancel);
        mayEnd.Set();
    }
}
