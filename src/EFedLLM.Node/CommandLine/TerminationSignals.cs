using System.Runtime.InteropServices;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary>The second Ctrl-C, or the second request to end: whoever sends it does not want to wait for what the first one began.</summary>
internal sealed class TerminationSignals : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;
    private int _count;

    /// <summary>Listens from now on. It must be there before whatever handles the first signal, which is asked only after it.</summary>
    public TerminationSignals() =>
        _registrations = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, Handle))];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _count) > 1)
        {
            Screen.Note("stopped at once");
            Environment.Exit(ExitCodes.Interrupted);
        }
    }
}
