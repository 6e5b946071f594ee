using Akka.Actor;

namespace EFedLLM.Actors.Reputation;

/// <summary>A ledger node ends because of another that it cannot run beside.</summary>
/// <param name="message">Which, and what to do.</param>
public sealed class LedgerConflictReason(string message) : CoordinatedShutdown.Reason
{
    /// <summary>Which, and what to do.</summary>
    public string Message { get; } = message;

    /// <inheritdoc/>
    public override int ExitCode => 1;

    /// <inheritdoc/>
    public override string ToString() => Message;
}
