using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;

namespace EFedLLM.Actors.Tests.Protocol.Wire;

/// <summary>An actor system with two actors to refer to, and the serializer under test.</summary>
public sealed class WireFixture : IAsyncLifetime
{
    /// <summary>The names of all message types that may leave the process.</summary>
    public static TheoryData<string> MessageTypes { get; } = new(Messages().Select(type => type.FullName!).Order(StringComparer.Ordinal));

    internal ActorSystem System { get; } = ActorSystem.Create("wire-tests");

    internal ProtocolSerializer Serializer { get; private set; } = null!;

    internal MessageSamples Samples { get; private set; } = null!;

    public Task InitializeAsync()
    {
        Serializer = new ProtocolSerializer((ExtendedActorSystem)System);
        Samples = new MessageSamples(System.ActorOf(Props.Empty, "first"), System.ActorOf(Props.Empty, "second"));
        return Task.CompletedTask;
    }

    public Task DisposeAsync() => System.Terminate();

    internal static IEnumerable<Type> Messages() => typeof(IProtocolMessage).Assembly.GetTypes()
        .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IProtocolMessage)));

    internal static Type TypeOf(string name) => typeof(IProtocolMessage).Assembly.GetType(name, throwOnError: true)!;
}
