using Akka.Actor;

namespace EFedLLM.Actors.Membership;

/// <summary>A node ends because it cannot be in its cluster as it is, and coming back would not change that.</summary>
/// <param name="message">Why, and what to do.</param>
public sealed class CannotRunReason(string message) : CoordinatedShutdown.Reason
{
    /// <summary>Why, and what to do.</summary>
    public string Message { get; } = message;

    /// <inheritdoc/>
    public override int ExitCode => 1;

    /// <inheritdoc/>
    public override string ToString() => Message;
}
