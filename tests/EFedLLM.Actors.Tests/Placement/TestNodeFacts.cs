using Akka.Actor;
using Akka.DistributedData;
using EFedLLM.Actors.Tests.Configuration;

namespace EFedLLM.Actors.Tests.Placement;

internal static class TestNodeFacts
{
    /// <summary>Writes a fact into distributed data as its owner would.</summary>
    public static void Write<T>(this TestNode node, LWWDictionaryKey<string, T> key, string entry, T fact)
        where T : class
        => DistributedData.Get(node.System).Replicator.Tell(Dsl.Update(
            key, LWWDictionary<string, T>.Empty, WriteLocal.Instance, facts => facts.SetItem(node.Cluster.SelfUniqueAddress, entry, fact)));

    /// <summary>Removes a fact as its owner would.</summary>
    public static void Remove<T>(this TestNode node, LWWDictionaryKey<string, T> key, string entry)
        where T : class
        => DistributedData.Get(node.System).Replicator.Tell(Dsl.Update(
            key, LWWDictionary<string, T>.Empty, WriteLocal.Instance, facts => facts.Remove(node.Cluster.SelfUniqueAddress, entry)));
}
