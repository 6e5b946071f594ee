using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Gateway;

/// <summary>A prompt on its way through the gateway.</summary>
/// <param name="prompt">The prompt.</param>
/// <param name="model">The model it means.</param>
/// <param name="client">Who asked.</param>
/// <param name="arrived">When it came.</param>
internal sealed class PromptEntry(Prompt prompt, GatewayModel model, IActorRef client, TimeSpan arrived)
{
    /// <summary>The prompt.</summary>
    public Prompt Prompt => prompt;

    /// <summary>The model.</summary>
    public GatewayModel Model => model;

    /// <summary>Who asked.</summary>
    public IActorRef Client => client;

    /// <summary>When it came.</summary>
    public TimeSpan Arrived => arrived;

    /// <summary>Its tokens, once they are known.</summary>
    public EncodedPrompt? Encoded { get; set; }

    /// <summary>Its pipeline, while one runs.</summary>
    public IActorRef? Pipeline { get; set; }

    /// <summary>Devices that refused it since the last pause.</summary>
    public HashSet<DeviceId> Avoid { get; } = [];

    /// <summary>When it began to look for a route.</summary>
    public TimeSpan? RoutingSince { get; set; }

    /// <summary>Attempts that found every way closed: each makes the next pause longer.</summary>
    public int Pauses { get; set; }

    /// <summary>Why the last device that refused it as full did so, or null.</summary>
    public string? Full { get; set; }

    /// <summary>Why there was no route at the last attempt.</summary>
    public string Problem { get; set; } = "";
}
