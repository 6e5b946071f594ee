using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Gateway;

/// <summary>To the gateway, from its own thread pool: a prompt is encoded.</summary>
/// <param name="Entry">The prompt.</param>
/// <param name="Encoded">What came of it.</param>
internal sealed record PromptEncoded(PromptEntry Entry, EncodedPrompt Encoded) : INoSerializationVerificationNeeded;

/// <summary>To the gateway, from its own thread pool: encoding a prompt went wrong.</summary>
/// <param name="Entry">The prompt.</param>
/// <param name="Error">How.</param>
internal sealed record PromptNotEncoded(PromptEntry Entry, Exception Error) : INoSerializationVerificationNeeded;

/// <summary>Gateway to itself: a prompt has waited as long as it may.</summary>
/// <param name="Prompt">The prompt.</param>
internal sealed record WaitingOver(PromptId Prompt) : INoSerializationVerificationNeeded;

/// <summary>Gateway to itself: look for a route again.</summary>
/// <param name="Prompt">The prompt.</param>
internal sealed record RetryRoute(PromptId Prompt) : INoSerializationVerificationNeeded;

/// <summary>To the gateway: take no more prompts. Answered by <see cref="Akka.Done"/> when the last one is answered.</summary>
internal sealed record DrainGateway : INoSerializationVerificationNeeded
{
    /// <summary>The one there is.</summary>
    public static DrainGateway Instance { get; } = new();
}
