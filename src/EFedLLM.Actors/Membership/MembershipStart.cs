using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>Starts what keeps a node informed of who is kept out.</summary>
public static class MembershipStart
{
    // Long enough for a round through every member, short enough that an evicted device that stalls it gains nothing.
    private static readonly TimeSpan SpreadLimit = TimeSpan.FromSeconds(1);

    /// <summary>Starts the node's membership actor; once for each node that uses TLS.</summary>
    /// <param name="system">The node; its setup holds a <see cref="NodeIdentity"/>.</param>
    /// <returns>The actor, for <see cref="SpreadAsync"/>.</returns>
    /// <exception cref="InvalidOperationException">The node uses no TLS.</exception>
    public static IActorRef StartMembership(this ActorSystem system)
    {
        var identity = NodeIdentity.Of(system) ?? throw new InvalidOperationException("A node without TLS has no membership to keep.");
        return system.ActorOf(Props.Create(() => new MembershipActor(identity.Revocations, SpreadLimit)), "membership");
    }

    /// <summary>Spreads a decision that this node's store has, then takes nodes out of the cluster.</summary>
    /// <param name="membership">What <see cref="StartMembership"/> returned.</param>
    /// <param name="signed">The decision.</param>
    /// <param name="nodes">The nodes of the device that it keeps out, or none.</param>
    /// <param name="cancellation">Gives up waiting; the decision stands.</param>
    /// <returns>Whether every member confirmed it in time.</returns>
    public static async Task<bool> SpreadAsync(this IActorRef membership, SignedRevocation signed, IReadOnlyList<Address> nodes, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(membership);
        var answer = await membership.Ask<RevocationSpread>(new SpreadRevocation(signed, nodes), SpreadLimit * 5, cancellation).ConfigureAwait(false);
        return answer.Everywhere;
    }
}
