using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Configuration;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// Tells processes that have died from nodes that are only out of reach. A machine that refuses a connection to a member's port says that
/// the process is gone, which no broken network does: such a member is removed at once, where the split-brain resolver would have to wait.
/// Anchors are never removed so, because they decide who goes on when the network breaks.
/// </summary>
internal sealed class GhostState
{
    /// <summary>So many refusals in a row make a ghost. One might meet a process that is just about to listen.</summary>
    public const int Refusals = 2;

    private readonly Dictionary<Address, int> _suspects = [];

    /// <summary>A connection to a node broke, or it does not answer heartbeats.</summary>
    /// <param name="node">The node's address.</param>
    /// <param name="status">Its state as a member, or null when it is none.</param>
    /// <param name="roles">Its roles.</param>
    /// <returns>Whether to look whether it is there.</returns>
    public bool Suspect(Address node, MemberStatus? status, ImmutableHashSet<string> roles)
        => node.Host is not null && node.Port is not null && MayRemove(status, roles) && _suspects.TryAdd(node, 0);

    /// <summary>Somebody looked.</summary>
    /// <param name="node">The node's address.</param>
    /// <param name="outcome">What came of it.</param>
    /// <param name="status">Its state as a member now, or null when it is none.</param>
    /// <param name="roles">Its roles.</param>
    public GhostStep Judge(Address node, ProbeOutcome outcome, MemberStatus? status, ImmutableHashSet<string> roles)
    {
        if (!_suspects.TryGetValue(node, out var refusals))
        {
            return GhostStep.Forget;
        }

        if (outcome == ProbeOutcome.Refused && MayRemove(status, roles))
        {
            _suspects[node] = refusals + 1;
            if (refusals + 1 < Refusals)
            {
                return GhostStep.ProbeAgain;
            }

            _suspects.Remove(node);
            return GhostStep.Remove;
        }

        _suspects.Remove(node);
        return GhostStep.Forget;
    }

    // One that is exiting or down already is on its way out.
    private static bool MayRemove(MemberStatus? status, ImmutableHashSet<string> roles)
        => status is MemberStatus.Joining or MemberStatus.WeaklyUp or MemberStatus.Up or MemberStatus.Leaving && !roles.Contains(ClusterNames.Anchor);
}
