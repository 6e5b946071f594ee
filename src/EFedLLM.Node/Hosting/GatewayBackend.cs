using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.Http;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Hosting;

/// <summary>What the HTTP interface asks of the gateway on this node.</summary>
/// <param name="client">Asks the gateway.</param>
/// <param name="models">The models it answers for.</param>
/// <param name="view">The cluster as this node sees it.</param>
internal sealed class GatewayBackend(GatewayClient client, IReadOnlyList<GatewayModel> models, ViewFeed view) : IGatewayBackend
{
    private readonly Dictionary<ModelId, GatewayModel> _byId = models.DistinctBy(model => model.Served.Model).ToDictionary(model => model.Served.Model);

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, ModelId Model)> Models { get; } = [.. models.Select(model => (model.Served.Name, model.Served.Model))];

    /// <inheritdoc/>
    public string? WhyNotReady => models.Count == 0
        ? "This gateway answers for no model."
        : models.Select(model => ClusterFactsBuilder.Problem(model.Served, view.Latest)).FirstOrDefault(problem => problem is not null);

    /// <inheritdoc/>
    public int? LayersOf(ModelId model) => _byId.TryGetValue(model, out var known) ? known.Shape.Layers : null;

    /// <inheritdoc/>
    public IAsyncEnumerable<IEvent> GenerateAsync(Prompt prompt, CancellationToken cancellation) => client.GenerateAsync(prompt, cancellation);

    /// <inheritdoc/>
    public string TokenText(ModelId model, int token) => _byId.TryGetValue(model, out var known) ? known.Tokenizer.TokenText(token) : "";
}
