using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Trust;
using EFedLLM.Compression;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Actors.Tests.Attacks;

/// <summary>
/// Units of an honest fleet: groups of sessions over three hops that serve with 1 to 64 threads, in batches of 1 to 64 sessions, the prompt in
/// chunks of some size and then token by token; and others that recompute every unit with other threads, batches and chunks. The results are
/// what all of them signed, so that a processor of another width can be compared.
/// </summary>
internal sealed class HonestUnits : IBitDigest
{
    /// <summary>The variable with the number of units; without it there are <see cref="Fewest"/>.</summary>
    public const string Variable = "EFEDLLM_HONEST_UNITS";

    /// <summary>The variable with the number of the first group, which seeds it: another part of the same fleet's work. 0 where there is none.</summary>
    public const string FirstVariable = "EFEDLLM_HONEST_FIRST";

    /// <summary>Units where nothing else is said.</summary>
    public const int Fewest = 1500;

    private const int Hops = 3;
    private const int MostSessions = 64;
    private const int MostPrompt = 160;
    private const int MostSteps = 32;
    private const int MostThreads = 64;

    // Some values past a multiple of what a vector holds, so that kernels have a rest to deal with.
    private static readonly ModelShape Shape = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 67,
        HiddenSize = 32,
        IntermediateSize = 72,
        Layers = 2,
        Heads = 2,
        KeyValueHeads = 1,
        HeadSize = 16,
        ContextLength = 256,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    /// <summary>Units that were served and recomputed by the last run in this process.</summary>
    public static long Checked { get; private set; }

    /// <summary>Those of them on which the two differed.</summary>
    public static long Mismatches { get; private set; }

    public void Compute(BitResults results)
    {
        var wanted = Number(Variable, Fewest);
        (Checked, Mismatches) = (0, 0);
        var folder = Directory.CreateTempSubdirectory("efedllm-honest-");
        try
        {
            RandomModel.Write(Shape, folder.FullName, seed: 9);
            var group = Number(FirstVariable, 0);
            var workers = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Worker(folder.FullName)).ToArray();
            try
            {
                while (Checked < wanted)
                {
                    // The results are those of one group after the other, however many run at once.
                    var first = group;
                    Parallel.For(0, workers.Length, number => workers[number].Serve((int)(first + number)));
                    foreach (var worker in workers.TakeWhile(_ => Checked < wanted))
                    {
                        (Checked, Mismatches) = (Checked + worker.Checked, Mismatches + worker.Mismatches);
                        results.Add<Digest>(worker.Roots);
                    }

                    group += workers.Length;
                }
            }
            finally
            {
                foreach (var worker in workers)
                {
                    worker.Dispose();
                }
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

    private static long Number(string variable, long otherwise)
        => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? long.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>One group of sessions after the other, on one thread and the teams of its devices.</summary>
    private sealed class Worker(string folder) : IDisposable
    {
        private static readonly LayerRange[] Ranges = [new(0, 2), new(2, 3), new(3, 4)];

        private readonly FactoredModel _source = FactoredModel.Open(folder);
        private readonly List<Digest> _roots = [];

        /// <summary>Units of the last group.</summary>
        public int Checked { get; private set; }

        /// <summary>Those on which two differed.</summary>
        public int Mismatches { get; private set; }

        /// <summary>What was signed of them.</summary>
        public ReadOnlySpan<Digest> Roots => CollectionsMarshal.AsSpan(_roots);

        public void Serve(int group)
        {
            (Checked, Mismatches) = (0, 0);
            _roots.Clear();
            var random = new Random(group);
            using var cluster = new CheckedCluster(_source);
            var stages = Ranges.Select(range => cluster.Add(range, Threads(random), random.Next(1, 129))).ToArray();

            // 1, 2, 4, ... 64: most groups are small, and most units come of large ones.
            var sessions = Enumerable.Range(0, 1 << random.Next(1 + BitOperations.Log2(MostSessions)))
                .Select(_ => cluster.Open(stages, new SamplingSettings { Temperature = random.Next(3) * 0.5f, Seed = (ulong)random.Next() }, MostPrompt + MostSteps))
                .ToArray();
            foreach (var session in sessions)
            {
                session.Prefill([.. Enumerable.Range(0, random.Next(1, MostPrompt + 1)).Select(_ => random.Next(Shape.VocabularySize))], random.Next(1, 65), runs: false);
            }

            Take(cluster, sessions);
            for (var steps = random.Next(1, MostSteps); steps > 0; steps--)
            {
                foreach (var session in sessions)
                {
                    session.Step();
                }

                Take(cluster, sessions);
            }

            foreach (var session in sessions)
            {
                session.Seal();
            }

            for (var hop = 0; hop < Hops; hop++)
            {
                var verifier = cluster.Add(Ranges[hop], Threads(random), random.Next(1, 129));
                foreach (var session in sessions)
                {
                    Check(session, hop, verifier, random);
                }
            }
        }

        public void Dispose() => _source.Dispose();

        private static void Take(CheckedCluster cluster, CheckedCluster.Served[] sessions)
        {
            cluster.Run();
            foreach (var session in sessions)
            {
                session.Take();
            }
        }

        private void Check(CheckedCluster.Served session, int hop, CheckedCluster.Stage verifier, Random random)
        {
            var receipts = session.Receipts(hop).Select(signed => signed.Receipt).ToArray();
            var answers = session.Check(hop, verifier, Steps(session.Tokens.Count - 1, random));
            Checked += receipts.Length;
            Mismatches += receipts.Length == answers.Length
                ? receipts.Where((receipt, unit) => PositionDigest.OfAnswer(CheckedCluster.Key, receipt.OutRoot, receipt.KvRoot) != answers[unit].Answer).Count()
                : receipts.Length;
            _roots.AddRange(receipts.SelectMany(receipt => (Digest[])[receipt.InRoot, receipt.OutRoot, receipt.KvRoot]));
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

        /// <summary>Mostly few: there are no so many cores, and what many threads cost is the waiting for one another.</summary>
        private static int Threads(Random random) => random.Next(64) switch { 0 => MostThreads, 1 => 16, < 16 => random.Next(2, 5), _ => 1 };
    }
}
