using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>Of two standings the later revision counts, on whatever node and by whatever clock.</summary>
public sealed class StandingBoardTests
{
    private static readonly UniqueAddress One = new(new Address("akka.tcp", "efedllm", "127.0.0.1", 1001), 1);
    private static readonly UniqueAddress Other = new(new Address("akka.tcp", "efedllm", "127.0.0.1", 1002), 2);
    private static readonly LWWDictionary<string, DeviceStanding> Nothing = LWWDictionary<string, DeviceStanding>.Empty;

    [Fact]
    public void What_is_known_already_or_was_overtaken_changes_nothing()
    {
        var facts = StandingBoard.With(Nothing, One, Standing(One, TrustTier.Excluded, 9));
        Assert.Same(facts, StandingBoard.With(facts, One, Standing(One, TrustTier.Excluded, 12)));
        Assert.Same(facts, StandingBoard.With(facts, Other, Standing(Other, TrustTier.Full, 8)));
    }

    [Fact]
    public void A_node_that_takes_over_says_the_same_in_its_own_name()
        => Assert.Equal(Other.Address, Told(StandingBoard.With(StandingBoard.With(Nothing, One, Standing(One, TrustTier.Excluded, 9)), Other, Standing(Other, TrustTier.Excluded, 9))).Ledger);

    [Fact]
    public void Of_two_nodes_that_know_nothing_of_one_another_the_later_revision_wins_in_either_order()
    {
        var early = StandingBoard.With(Nothing, One, Standing(One, TrustTier.Quarantined, 9));
        var late = StandingBoard.With(Nothing, Other, Standing(Other, TrustTier.Excluded, 10));
        Assert.Equal(TrustTier.Excluded, Told(early.Merge(late)).Server);
        Assert.Equal(TrustTier.Excluded, Told(late.Merge(early)).Server);
    }

    private static DeviceStanding Told(LWWDictionary<string, DeviceStanding> facts) => facts[LedgerSamples.Device.Value];

    private static DeviceStanding Standing(UniqueAddress node, TrustTier server, long revision) => new(LedgerSamples.Device, server, TrustTier.Probation, 1, revision, node.Address);
}
