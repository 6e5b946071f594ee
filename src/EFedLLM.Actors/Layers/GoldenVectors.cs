using EFedLLM.Actors.Trust;
using EFedLLM.Compression;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// What a sound device computes: a thousand positions through layers that a seed makes up, with the kernels that serve sessions, so with
/// packed weights of every width, attention, softmax and norms. Whoever knows the seed gets the same bits on sound hardware, whatever its
/// vectors and threads. Every device computes those of one known seed when it starts, so that broken hardware, or a version of this program or
/// of .NET that computes otherwise, is found before it serves; one that was taken for broken computes those of a seed that nobody knew before,
/// so that it cannot have kept the answer.
/// </summary>
public static class GoldenVectors
{
    /// <summary>Number of positions.</summary>
    public const int Count = 1000;

    private const int Context = 125;
    /// <summary>The seed that everybody knows.</summary>
    internal const ulong KnownSeed = 7;

    /// <summary>The root of the known seed, found once and the same on every sound machine since. It changes with what models compute, and then on purpose.</summary>
    internal static readonly Digest KnownRoot = Digest.Read(Convert.FromHexString("7bd41ee5a465c5ecf2c130a81ecd1195bcd7c7703cc493c8dd5023e110607408"));

    // Of each width one prompt as a batch, and one token by token: these run different kernels.
    private static readonly int[] Widths = [8, 6, 5, 4];

    private static readonly ModelShape Shape = new()
    {
        Architecture = "LlamaForCausalLM",
        VocabularySize = 2 * Context,
        HiddenSize = 192,
        IntermediateSize = 512,
        Layers = 1,
        Heads = 6,
        KeyValueHeads = 2,
        HeadSize = 32,
        ContextLength = Context,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(10000),
    };

    /// <summary>Whether this machine computes those of the known seed rightly.</summary>
    /// <param name="team">The threads that compute.</param>
    /// <exception cref="IOException">The layers cannot be written to the folder of temporary files.</exception>
    public static bool AreRight(ComputeTeam team) => Compute(KnownSeed, team) == KnownRoot;

    /// <summary>The root over what comes out at each position.</summary>
    /// <param name="seed">Makes up weights and inputs.</param>
    /// <param name="team">The threads that compute.</param>
    /// <exception cref="IOException">The layers cannot be written to the folder of temporary files.</exception>
    internal static Digest Compute(ulong seed, ComputeTeam team)
    {
        var rows = new List<Digest>(Count);
        foreach (var bits in Widths)
        {
            var folder = Directory.CreateTempSubdirectory("efedllm-golden-").FullName;
            try
            {
                RandomModel.Write(Shape, folder, seed, bits);
                using var source = FactoredModel.Open(folder);
                Compute(source, team, rows);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        return Merkle.Root([.. rows]);
    }

    private static void Compute(FactoredModel source, ComputeTeam team, List<Digest> rows)
    {
        using var shard = TransformerShard.Load(source, new LayerRange(0, 2));
        var tokens = Enumerable.Range(0, Shape.VocabularySize).ToArray();
        foreach (var (first, batch) in new[] { (0, Context), (Context, 1) })
        {
            using var cache = shard.CreateCache(Context);
            var step = new ShardStep { Cache = cache, Count = batch, Hidden = new float[batch * Shape.HiddenSize] };
            ShardStep[] steps = [step];
            for (var position = 0; position < Context; position += batch)
            {
                step.Tokens = tokens.AsMemory(first + position, batch);
                shard.Forward(steps, team);
                for (var row = 0; row < batch; row++)
                {
                    rows.Add(PositionDigest.OfRow(step.Hidden.Span.Slice(row * Shape.HiddenSize, Shape.HiddenSize)));
                }
            }
        }
    }
}
