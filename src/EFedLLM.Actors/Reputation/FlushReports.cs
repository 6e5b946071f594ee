using Akka.Actor;

namespace EFedLLM.Actors.Reputation;

/// <summary>To the reporter: say when the ledger has every report taken so far and since. Answered by <see cref="Akka.Done"/>.</summary>
internal sealed record FlushReports : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static FlushReports Instance { get; } = new();
}
