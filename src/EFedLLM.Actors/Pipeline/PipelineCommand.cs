using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>What <see cref="GenerationState"/> wants done.</summary>
internal abstract record PipelineCommand;

/// <summary>Send a hop <see cref="OpenSession"/>, and follow whether it is there.</summary>
/// <param name="Hop">Its place in the route.</param>
/// <param name="Route">The route.</param>
/// <param name="Epoch">Its epoch.</param>
internal sealed record OpenHop(int Hop, Route Route, int Epoch) : PipelineCommand;

/// <summary>Send the first hop of the current route that all go on.</summary>
/// <param name="Message">Where.</param>
internal sealed record ResumeRoute(ResumeSession Message) : PipelineCommand;

/// <summary>Send the first hop of the current route a step.</summary>
/// <param name="Message">The step.</param>
internal sealed record FeedRoute(FeedTokens Message) : PipelineCommand;

/// <summary>Send a hop <see cref="CloseSession"/>.</summary>
/// <param name="Hop">The hop.</param>
/// <param name="Epoch">The latest epoch.</param>
/// <param name="Pages">The names of the pages behind the prompt's, under which it may keep them.</param>
internal sealed record CloseHop(Hop Hop, int Epoch, ImmutableArray<PageKey> Pages = default) : PipelineCommand;

/// <summary>Write a line into the log: whoever runs the gateway should know, and whoever asked need not.</summary>
/// <param name="Text">The line.</param>
internal sealed record Note(string Text) : PipelineCommand;

/// <summary>Tell whoever asked.</summary>
/// <param name="Event">What.</param>
internal sealed record TellClient(IEvent Event) : PipelineCommand;

/// <summary>Tell the ledger's reporter.</summary>
/// <param name="Report">What a device did.</param>
internal sealed record ReportWork(WorkReport Report) : PipelineCommand;

/// <summary>It is over.</summary>
/// <param name="Refusal">Why no answer began, so that another route may be tried; null when the client has its last event.</param>
internal sealed record EndPipeline(HopRefusal? Refusal) : PipelineCommand;

/// <summary>A hop did not take the session, before anything of the answer was sent.</summary>
/// <param name="Device">The device.</param>
/// <param name="Reason">Why.</param>
/// <param name="Message">For people.</param>
internal sealed record HopRefusal(DeviceId Device, RefusalReason Reason, string Message);
