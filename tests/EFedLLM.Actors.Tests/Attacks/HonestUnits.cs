using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Trust;
using EFedLLM.Compression;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>
/// Units of an honest fleet: groups of sessions over three hops that serve with some number of threads, in batches of some number of
/// sessions, the prompt in chunks of some size and then token by token; and others that recompute every unit with other threads, batches
/// and chunks. The results are what all of them signed and answered, so that a processor of another width can be compared.
/// </summary>
internal sealed class HonestUnits : IBitDigest
{
    /// <summary>The variable with the number of units; without it there are <see cref="Fewest"/>.</summary>
    public const string Variable = "EFEDLLM_HONEST_UNITS";

    /// <summary>Units where nothing else is said.</summary>
    public const int Fewest = 600;

    private const int Hops = 3;
    private const int MostSessions = 64;
    private const int MostPositions = 96;
    private const int MostThreads = 64;

    private static readonly ModelShape Shape = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 64,
        HiddenSize = 32,
        IntermediateSize = 64,
        Layers = 2,
        Heads = 2,
        KeyValueHeads = 1,
        HeadSize = 16,
        ContextLength = 128,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    /// <summary>Units that were served and recomputed by the last run in this process.</summary>
    public static long Checked { get; private set; }

    /// <summary>Those of them on which the two differed.</summary>
    public static long Mismatches { get; private set; }

    public void Compute(BitResults results)
    {
        var wanted = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } text ? long.Parse(text) : Fewest;
        (Checked, Mismatches) = (0, 0);
        var folder = Directory.CreateTempSubdirectory("efedllm-honest-");
        try
        {
            RandomModel.Write(Shape, folder.FullName, seed: 9);
            using var source = FactoredModel.Open(folder.FullName);
            for (var group = 0; Checked < wanted; group++)
            {
                Serve(source, new Random(group), results);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        if (Mismatches > 0)
        {
            throw new InvalidOperationException($"{Mismatches} of {Checked} units of honest devices differ.");
        }
    }

    private static void Serve(IModelSource source, Random random, BitResults results)
    {
        using var cluster = new CheckedCluster(source);
        LayerRange[] ranges = [new(0, 2), new(2, 3), new(3, 4)];
        var stages = ranges.Select(range => cluster.Add(range, Threads(random), random.Next(1, 129))).ToArray();
        var sessions = Enumerable.Range(0, 1 + random.Next(MostSessions / 4) + (random.Next(8) == 0 ? MostSessions * 3 / 4 : 0))
            .Select(_ => cluster.Open(stages, new SamplingSettings { Temperature = random.Next(3) * 0.5f, Seed = (ulong)random.Next() }, MostPositions))
            .ToArray();
        foreach (var session in sessions)
        {
            session.Prefill([.. Enumerable.Range(0, random.Next(1, 64)).Select(_ => random.Next(Shape.VocabularySize))], random.Next(1, 65), runs: false);
        }

        cluster.Run();
        foreach (var session in sessions)
        {
            session.Take();
        }

        for (var steps = random.Next(1, 33); steps > 0; steps--)
        {
            foreach (var session in sessions)
            {
                session.Step();
            }

            cluster.Run();
            foreach (var session in sessions)
            {
                session.Take();
            }
        }

        foreach (var session in sessions)
        {
            session.Seal();
        }

        for (var hop = 0; hop < Hops; hop++)
        {
            var verifier = cluster.Add(ranges[hop], Threads(random), random.Next(1, 129));
            foreach (var session in sessions)
            {
                var receipts = session.Receipts(hop).Select(signed => signed.Receipt).ToArray();
                var answers = session.Check(hop, verifier, Steps(session.Tokens.Count - 1, random));
                Checked += receipts.Length;
                Mismatches += receipts.Length == answers.Length
                    ? receipts.Where((receipt, unit) => PositionDigest.OfAnswer(CheckedCluster.Key, receipt.OutRoot, receipt.KvRoot) != answers[unit].Answer).Count()
                    : receipts.Length;
                foreach (var receipt in receipts)
                {
                    results.Add(receipt.InRoot);
                    results.Add(receipt.OutRoot);
                    results.Add(receipt.KvRoot);
                }
            }
        }
    }

    /// <summary>One unit at a time, or the whole in pieces of one size.</summary>
    private static IEnumerable<(int Position, int Rows, bool Ends)> Steps(int positions, Random random)
    {
        var rows = random.Next(2) == 0 ? UnitCut.Rows : random.Next(1, 65);
        for (var position = 0; position < positions; position += rows)
        {
            yield return (position, Math.Min(rows, positions - position), position + rows >= positions);
        }
    }

    /// <summary>Mostly few: there are no so many cores.</summary>
    private static int Threads(Random random) => random.Next(16) switch { 0 => MostThreads, 1 => 16, < 8 => random.Next(2, 5), _ => 1 };
}
