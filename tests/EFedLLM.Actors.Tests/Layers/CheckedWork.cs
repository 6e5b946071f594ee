using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>What three hops sign of a session that draws with a temperature, and what those who check each of them answer.</summary>
internal sealed class CheckedWork : IBitDigest
{
    public void Compute(BitResults results)
    {
        using var model = new CheckedModel();
        using var cluster = new CheckedCluster(model.Source);
        var served = cluster.Open(cluster.AddRoute(2, 3), new SamplingSettings { Temperature = 0.9f, Seed = 21 });
        served.Prefill([.. Enumerable.Range(0, 37).Select(i => (i * 29) % CheckedModel.Shape.VocabularySize)], 10);
        served.Decode(35);
        served.Seal();
        for (var hop = 0; hop < 3; hop++)
        {
            var receipts = served.Receipts(hop).Select(signed => signed.Receipt).ToArray();
            foreach (var receipt in receipts)
            {
                Add(results, receipt.InRoot, receipt.OutRoot, receipt.KvRoot);
            }

            foreach (var answer in served.Check(hop, cluster.Add(served.Stages[hop].Range, threads: 2), receipts.Select(receipt => (receipt.Position, receipt.Rows, true))))
            {
                Add(results, answer.Answer);
            }
        }
    }

    private static void Add(BitResults results, params ReadOnlySpan<Digest> digests)
    {
        foreach (var digest in digests)
        {
            results.Add(digest);
        }
    }
}
