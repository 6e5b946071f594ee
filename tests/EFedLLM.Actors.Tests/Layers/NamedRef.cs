using Akka.Actor;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>A reference to nobody that can be told from others.</summary>
internal sealed class NamedRef(string name, Address? node = null) : MinimalActorRef
{
    public override ActorPath Path { get; } = new RootActorPath(node ?? new Address("akka.tcp", "test", "127.0.0.1", 1)) / name;

    public override IActorRefProvider Provider => throw new NotSupportedException();
}
