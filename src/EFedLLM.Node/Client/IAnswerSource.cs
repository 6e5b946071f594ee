using EFedLLM.Node.Api;

namespace EFedLLM.Node.Client;

/// <summary>Something that answers prompts: a gateway, or a model in this process.</summary>
internal interface IAnswerSource : IAsyncDisposable
{
    /// <summary>Generates; leaving the enumeration or cancelling ends the generation everywhere.</summary>
    IAsyncEnumerable<GenerateEvent> GenerateAsync(GenerateRequest request, CancellationToken cancellation);
}
