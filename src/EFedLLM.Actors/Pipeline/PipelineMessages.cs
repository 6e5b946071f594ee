using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>Gateway to pipeline: whoever asked wants no more.</summary>
internal sealed record CancelPipeline : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static CancelPipeline Instance { get; } = new();
}

/// <summary>Pipeline to itself: look at the deadline.</summary>
internal sealed record CheckDeadline : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static CheckDeadline Instance { get; } = new();
}

/// <summary>Pipeline to gateway, as its last message.</summary>
/// <param name="Prompt">The prompt.</param>
/// <param name="Refusal">Why no answer began, or null when the client has its last event.</param>
internal sealed record PipelineEnded(PromptId Prompt, HopRefusal? Refusal) : INoSerializationVerificationNeeded;
