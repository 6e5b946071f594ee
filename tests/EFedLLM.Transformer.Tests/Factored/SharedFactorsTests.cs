using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Factored;

/// <summary>A model whose tied matrices share one V, and the same model with V written for each of them.</summary>
public sealed class SharedFactorsTests : IDisposable
{
    /// <summary>So wide that threads share every matrix, with rests behind whole groups and blocks.</summary>
    private static readonly ModelShape Shape = SampleManifests.Shape with
    {
        VocabularySize = 101,
        HiddenSize = 200,
        IntermediateSize = 300,
        Heads = 6,
        KeyValueHeads = 3,
        HeadSize = 34,
    };

    private readonly ScratchFolder _sharedFolder = new();
    private readonly ScratchFolder _apartFolder = new();
    private readonly FactoredModel _shared;
    private readonly FactoredModel _apart;
    private readonly ComputeTeam _team = new(1);

    public SharedFactorsTests()
    {
        _shared = Shared(_sharedFolder);
        _apart = Apart(_apartFolder, _shared);
    }

    public static TheoryData<VectorWidth> Narrower => VectorWidthProcesses.Narrower;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 40)]
    [InlineData(2, 40)]
    [InlineData(3, 7)]
    public void One_V_gives_the_logits_of_a_V_for_each_matrix(int threads, int chunk)
    {
        var tokens = Tokens(40);
        using var team = new ComputeTeam(threads);
        using var shared = new ShardPipeline(_shared, team, 2);
        using var apart = new ShardPipeline(_apart, _team);
        Assert.Equal(Bits(apart.Feed(tokens, chunk: 40)), Bits(shared.Feed(tokens, chunk)));
    }

    [Fact]
    public void An_observer_sees_the_same_inputs()
    {
        var (shared, apart) = (new Digest(), new Digest());
        foreach (var (model, digest) in new[] { (_shared, shared), (_apart, apart) })
        {
            using var shard = TransformerShard.Load(model, LayerRange.Whole(2));
            shard.InputObserver = digest;
            shard.Forward([Step(shard, 9)], _team);
        }

        Assert.Equal(9 * (4 + 4) + 1, shared.Rows);
        Assert.Equal(apart.Bits(), shared.Bits());
    }

    [Fact]
    public void A_shared_V_is_held_and_read_once()
    {
        using var shared = TransformerShard.Load(_shared, LayerRange.Whole(2));
        using var apart = TransformerShard.Load(_apart, LayerRange.Whole(2));
        Assert.Equal(Enumerable.Range(0, 4).Sum(_shared.Manifest.UnitReadBytes), shared.WeightBytesPerToken);
        Assert.Equal(Enumerable.Range(0, 4).Sum(_apart.Manifest.UnitReadBytes), apart.WeightBytesPerToken);

        // Three matrices of 64 rows, 200 inputs in groups of 32 and their scales, in each of two layers.
        Assert.Equal(2 * 3 * (64 * 224 + 64 * 7 * 2), apart.WeightBytes - shared.WeightBytes);
    }

    [Fact]
    public void A_step_in_the_steady_state_allocates_nothing()
    {
        using var shard = TransformerShard.Load(_shared, LayerRange.Whole(2));
        using var team = new ComputeTeam(2);
        var step = Step(shard, 1);
        for (var i = 0; i < 5; i++)
        {
            shard.Forward([step], team);
        }

        var steps = new[] { step };
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 40; i++)
        {
            shard.Forward(steps, team);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [MemberData(nameof(Narrower))]
    public async Task A_processor_without_wide_registers_gives_the_same_logits(VectorWidth width)
    {
        var hashes = await VectorWidthProcesses.HashAsync(width, typeof(LogitsDigest));
        Assert.Equal([BitResults.Hash(new LogitsDigest())], hashes);
    }

    public void Dispose()
    {
        _shared.Dispose();
        _apart.Dispose();
        _sharedFolder.Dispose();
        _apartFolder.Dispose();
        _team.Dispose();
    }

    private static FactoredModel Shared(ScratchFolder folder)
    {
        FactoredFolder.Write(folder, sample: SampleManifests.Create(Shape, rank: 40, shared: true));
        return FactoredModel.Open(folder.Path);
    }

    private static FactoredModel Apart(ScratchFolder folder, FactoredModel shared)
    {
        var forms = shared.Manifest.Matrices;
        var manifest = shared.Manifest with
        {
            Matrices = [.. forms.Select(form => ManifestLayout.Form(form.Unit, ManifestLayout.Sites(Shape, form.Unit).Single(site => site.Name == form.Name), form.Base, form.Rank, form.Factors))],
        };
        manifest = manifest with { BitsPerWeight = manifest.ReadBitsPerWeight };
        FactoredFolder.Write(folder, manifest, unit =>
        {
            using var file = SafetensorsFile.Open(Path.Combine(shared.Folder, manifest.Files[unit].Name));
            return [.. manifest.Tensors(unit).Select(tensor => (
                tensor.Name,
                Enum.Parse<SafetensorsType>(tensor.Type),
                file.Tensors[Source(tensor.Name)].Shape,
                file.Bytes(Source(tensor.Name)).ToArray()))];

            string Source(string name)
            {
                var owner = forms.FirstOrDefault(form => form.Unit == unit && name.StartsWith(form.Name + ".v.", StringComparison.Ordinal));
                return owner?.SharedFactors is { } other ? other + name[owner.Name.Length..] : name;
            }
        });
        return FactoredModel.Open(folder.Path);
    }

    private static ShardStep Step(TransformerShard shard, int count) => new()
    {
        Cache = shard.CreateCache(60),
        Count = count,
        Tokens = Tokens(count),
        LogitRows = 1,
        Logits = new float[shard.Shape.VocabularySize],
    };

    private static int[] Tokens(int count)
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Shape.VocabularySize))];
    }

    private static IEnumerable<int> Bits(float[] values) => values.Select(BitConverter.SingleToInt32Bits);

    /// <summary>The logits of the model with one V.</summary>
    private sealed class LogitsDigest : IBitDigest
    {
        public void Compute(BitResults results)
        {
            using var folder = new ScratchFolder();
            using var model = Shared(folder);
            using var team = new ComputeTeam(2);
            using var pipeline = new ShardPipeline(model, team);
            results.Add<float>(pipeline.Feed(Tokens(30), chunk: 11));
        }
    }

    /// <summary>All the inputs it is told.</summary>
    private sealed class Digest : IInputObserver
    {
        private readonly List<float> _values = [];

        public int Rows { get; private set; }

        public int[] Bits() => [.. _values.Select(BitConverter.SingleToInt32Bits)];

        public void Observe(int unit, InputSite site, ReadOnlySpan<float> x, int rows)
        {
            _values.AddRange(x);
            Rows += rows;
        }
    }
}
