using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Node.Hosting;

/// <summary>What a node's roles ask for: read top to bottom, it is the node's bill of materials.</summary>
internal sealed class NodeParts : IAsyncDisposable
{
    /// <summary>The device, or null where the node is none.</summary>
    public DeviceId? Device { get; private set; }

    /// <summary>Base address of the HTTP interface, or null where the node has none.</summary>
    public Uri? Http { get; private set; }

    public static Task<NodeParts> StartAsync(ActorSystem system, NodeOptions options, ViewFeed view, FileLoggerProvider log) => Task.FromResult(new NodeParts());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
