using System.Collections.Immutable;
using Akka.Actor;

namespace EFedLLM.Actors.Protocol;

/// <summary>
/// To a node's work reporter, inside one process: reports that belong together. They are on disk all or none, also when the process dies at
/// any moment. Answered by <see cref="WorkReportsKept"/>.
/// </summary>
/// <param name="Reports">The reports, in the order in which they count.</param>
public sealed record WorkReports(ImmutableArray<WorkReport> Reports) : INoSerializationVerificationNeeded;

/// <summary>The reporter's answer to <see cref="WorkReports"/>: they are on disk, or cannot be and wait in memory alone, or were refused as more than may wait.</summary>
public sealed record WorkReportsKept : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static WorkReportsKept Instance { get; } = new();
}
