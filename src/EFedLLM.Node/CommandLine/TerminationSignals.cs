using System.Runtime.InteropServices;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary>
/// Ctrl-C, or a request to end. The first asks the command to end in order; whoever sends a second one does not want to wait for what the
/// first one began. The command-line library listens to neither: it would wait in its handler until the command has ended, and the second
/// signal is heard only when the handler of the first has returned.
/// </summary>
internal sealed class TerminationSignals : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;
    private readonly CancellationTokenSource _first = new();
    private int _count;

    /// <summary>Listens from now on.</summary>
    public TerminationSignals() =>
        _registrations = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, Handle))];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _first.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }

        _first.Dispose();
    }

    /// <summary>What a signal does. It returns at once, whatever the command does about it.</summary>
    internal void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _count) > 1)
        {
            Screen.Note("stopped at once");
            Environment.Exit(ExitCodes.Interrupted);
        }

        try
        {
            _ = _first.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The command has ended meanwhile.
        }
    }
}
