using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Gateway;

/// <summary>Asks a gateway from anywhere inside the cluster.</summary>
/// <param name="system">A node of the cluster; it needs no role of its own.</param>
/// <param name="gateway">The GatewayActor, of this node or another.</param>
public sealed class GatewayClient(ActorSystem system, IActorRef gateway)
{
    /// <summary>Events besides tokens.</summary>
    private const int OtherEvents = 8;

    /// <summary>Further ones where a hop signs a session as long as one can be.</summary>
    private const int SignedEvents = ProtocolLimits.Hops + (Merkle.MostLeaves / HopSigned.MostUnits);

    /// <summary>A client of the gateway on the node <paramref name="node"/>.</summary>
    /// <param name="system">A node of the cluster.</param>
    /// <param name="node">The gateway's node; the members with the role <see cref="ClusterNames.Gateway"/> are such.</param>
    /// <param name="patience">How long to wait for it.</param>
    /// <exception cref="ActorNotFoundException">There is no gateway on that node, or it does not answer.</exception>
    public static async Task<GatewayClient> ConnectAsync(ActorSystem system, Address node, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(node);
        return new GatewayClient(system, await system.ActorSelection($"{node}/user/{ClusterNames.GatewayActor}").ResolveOne(patience).ConfigureAwait(false));
    }

    /// <summary>
    /// Generates. Gives <see cref="GenerationStarted"/>, then <see cref="TokenGenerated"/> one by one, then
    /// <see cref="GenerationFinished"/>; or at any point <see cref="GenerationFailed"/> as the last. Leaving the enumeration, or cancelling
    /// it, cancels the generation on every hop. Events wait for a slow reader, at most as many as the prompt asks tokens for.
    /// </summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="cancellation">Ends the enumeration.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async IAsyncEnumerable<IEvent> GenerateAsync(Prompt prompt, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        var capacity = (int)Math.Clamp((long)prompt.Settings.MaxTokens + OtherEvents + (prompt.Signed ? SignedEvents : 0), OtherEvents, ProtocolLimits.SessionTokens + SignedEvents);
        var events = Channel.CreateBounded<IEvent>(new BoundedChannelOptions(capacity) { SingleReader = true, SingleWriter = true });
        var receiver = system.ActorOf(Props.Create(() => new Receiver(prompt, gateway, events.Writer)));
        try
        {
            await foreach (var next in events.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
            {
                yield return next;
            }
        }
        finally
        {
            // It tells the gateway, if the generation has not ended.
            system.Stop(receiver);
        }
    }

    private sealed class Receiver : ReceiveActor
    {
        private readonly Prompt _prompt;
        private readonly IActorRef _gateway;
        private readonly ChannelWriter<IEvent> _events;
        private bool _hasEnded;

        public Receiver(Prompt prompt, IActorRef gateway, ChannelWriter<IEvent> events)
        {
            (_prompt, _gateway, _events) = (prompt, gateway, events);
            Receive<GenerationStarted>(message => message.Id == prompt.Id, message => Pass(message, isLast: false));
            Receive<PromptScored>(message => message.Id == prompt.Id, message => Pass(message, isLast: false));
            Receive<TextEncoded>(message => message.Id == prompt.Id, message => Pass(message, isLast: false));
            Receive<TokenGenerated>(message => message.Id == prompt.Id, message => Pass(message, isLast: false));
            Receive<HopSigned>(message => message.Id == prompt.Id, message => Pass(message, isLast: false));
            Receive<GenerationFinished>(message => message.Id == prompt.Id, message => Pass(message, isLast: true));
            Receive<GenerationFailed>(message => message.Id == prompt.Id, message => Pass(message, isLast: true));
            Receive<Terminated>(_ => Pass(new GenerationFailed(prompt.Id, GenerationError.Internal, "The gateway is gone. Ask another one."), isLast: true));
        }

        protected override void PreStart()
        {
            Context.Watch(_gateway);
            _gateway.Tell(_prompt);
        }

        protected override void PostStop()
        {
            if (!_hasEnded)
            {
                _gateway.Tell(new CancelGeneration(_prompt.Id));
            }

            _events.TryComplete();
        }

        private void Pass(IEvent message, bool isLast)
        {
            if (_hasEnded)
            {
                return;
            }

            if (!_events.TryWrite(message))
            {
                Context.GetLogger().Error("The gateway sends more than the prompt {0} asked for.", _prompt.Id);
                _events.TryComplete(new InvalidDataException("The gateway sends more than was asked for."));
                Context.Stop(Self);
                return;
            }

            if (isLast)
            {
                _hasEnded = true;
                _events.TryComplete();
            }
        }
    }
}
