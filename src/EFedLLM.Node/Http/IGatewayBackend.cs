using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Http;

/// <summary>What the HTTP endpoints need of the node they run on.</summary>
internal interface IGatewayBackend
{
    /// <summary>The models the cluster serves: name and identity.</summary>
    IReadOnlyList<(string Name, ModelId Model)> Models { get; }

    /// <summary>Number of transformer layers of a model, or null where it is not known.</summary>
    int? LayersOf(ModelId model);

    /// <summary>Whether a prompt would find a route now; if not, why.</summary>
    string? WhyNotReady { get; }

    /// <summary>Generates; cancelling or leaving the enumeration cancels the session on every hop.</summary>
    IAsyncEnumerable<IEvent> GenerateAsync(Prompt prompt, CancellationToken cancellation);

    /// <summary>The text of one token of a model, special tokens spelled out; bytes that are no text become U+FFFD.</summary>
    string TokenText(ModelId model, int token);
}
