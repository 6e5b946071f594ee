using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// What a factored model's files hold, derived from the shape and the forms of the matrices: the writer lays files
/// out by it and the reader accepts nothing else.
/// </summary>
public static class ManifestLayout
{
    /// <summary>Name of the embedding's matrix.</summary>
    public const string Embedding = "embed";

    /// <summary>Name of the output projection's matrix.</summary>
    public const string Head = "lm_head";

    /// <summary>Columns that share a scale in the embedding.</summary>
    public const int EmbeddingGroup = 32;

    /// <summary>Rows that are interleaved in a weight matrix.</summary>
    public const int RowBlock = 16;

    /// <summary>The file of a unit of a model with <paramref name="layers"/> layers.</summary>
    public static string FileName(int unit, int layers) =>
        unit == 0 ? "embedding.safetensors"
        : unit == layers + 1 ? "head.safetensors"
        : $"layer-{unit - 1:D4}.safetensors";

    /// <summary>The matrices of a unit, in execution order.</summary>
    public static ImmutableArray<ManifestSite> Sites(ModelShape shape, int unit)
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Encoder is not null)
        {
            return EncoderLayout.Sites(shape, unit);
        }

        var (hidden, feedForward) = (shape.HiddenSize, shape.IntermediateSize);
        if (unit == 0)
        {
            return [new(Embedding, shape.VocabularySize, hidden, false, InputSite.Tokens)];
        }

        if (unit == shape.Layers + 1)
        {
            return [new(Head, shape.VocabularySize, hidden, false, InputSite.Head)];
        }

        var queries = shape.Heads * shape.HeadSize;
        var keys = shape.KeyValueHeads * shape.HeadSize;
        return
        [
            new("self_attn.q_proj", queries, hidden, shape.QueryKeyValueBias, InputSite.Attention),
            new("self_attn.k_proj", keys, hidden, shape.QueryKeyValueBias, InputSite.Attention),
            new("self_attn.v_proj", keys, hidden, shape.QueryKeyValueBias, InputSite.Attention),
            new("self_attn.o_proj", hidden, queries, shape.OutputBias, InputSite.Output),
            new("mlp.gate_proj", feedForward, hidden, shape.FeedForwardBias, InputSite.FeedForward),
            new("mlp.up_proj", feedForward, hidden, shape.FeedForwardBias, InputSite.FeedForward),
            new("mlp.down_proj", hidden, feedForward, shape.FeedForwardBias, InputSite.Down),
        ];
    }

    /// <summary>Parameters of a checkpoint of that shape, a tied head counted once.</summary>
    public static long Parameters(ModelShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Encoder is not null)
        {
            return EncoderLayout.Parameters(shape);
        }

        var table = (long)shape.VocabularySize * shape.HiddenSize;
        return table * (shape.TiedEmbeddings ? 1 : 2) + LayerParameters(shape) * shape.Layers + shape.HiddenSize;
    }

    /// <summary>Parameters that computing one token uses: one row of each table of the embedding, every layer, the final norm and the whole head.</summary>
    public static long ParametersPerToken(ModelShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Encoder is not null)
        {
            return EncoderLayout.Parameters(shape) - Sites(shape, 0).Sum(table => (table.Outputs - 1L) * table.Inputs);
        }

        return shape.HiddenSize + LayerParameters(shape) * shape.Layers + shape.HiddenSize + (long)shape.VocabularySize * shape.HiddenSize;
    }

    /// <summary>The form of one matrix, its bytes counted.</summary>
    /// <param name="unit">The unit it belongs to.</param>
    /// <param name="site">Where it stands.</param>
    /// <param name="base">Form of the base, or null.</param>
    /// <param name="rank">Rank of the factors, 0 for none.</param>
    /// <param name="factors">Form of the factors, or null when the rank is 0.</param>
    /// <param name="sharedFactors">The matrix whose V this one uses (<see cref="MatrixForm.SharedFactors"/>), or null.</param>
    public static MatrixForm Form(int unit, ManifestSite site, GroupForm? @base, int rank, GroupForm? factors, string? sharedFactors = null)
    {
        var form = new MatrixForm(unit, site.Name, site.Outputs, site.Inputs, @base, rank, factors, 0) { SharedFactors = sharedFactors };
        return form with { Bytes = MatrixTensors(form).Sum(tensor => tensor.Bytes) };
    }

    /// <summary>The tensors of a unit's file, in the order of their data.</summary>
    /// <param name="shape">The model's shape.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="matrices">The forms of that unit's matrices, in the order of <see cref="Sites"/>.</param>
    public static ImmutableArray<ManifestTensor> Tensors(ModelShape shape, int unit, IReadOnlyList<MatrixForm> matrices)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(matrices);
        var tensors = ImmutableArray.CreateBuilder<ManifestTensor>();
        var sites = Sites(shape, unit);
        if (shape.Encoder is not null)
        {
            EncoderLayout.LayOut(shape, unit, AddMatrix, name => tensors.Add(Vector(name, shape.HiddenSize)));
        }
        else if (unit == 0)
        {
            tensors.AddRange(MatrixTensors(matrices[0]));
        }
        else if (unit == shape.Layers + 1)
        {
            tensors.Add(Vector("norm.weight", shape.HiddenSize));
            AddMatrix(0);
        }
        else
        {
            tensors.Add(Vector("input_layernorm.weight", shape.HiddenSize));
            AddMatrix(0);
            AddMatrix(1);
            AddMatrix(2);
            if (shape.QueryKeyNorm)
            {
                tensors.Add(Vector("self_attn.q_norm.weight", shape.HeadSize));
                tensors.Add(Vector("self_attn.k_norm.weight", shape.HeadSize));
            }

            AddMatrix(3);
            tensors.Add(Vector("post_attention_layernorm.weight", shape.HiddenSize));
            AddMatrix(4);
            AddMatrix(5);
            AddMatrix(6);
        }

        return tensors.ToImmutable();

        void AddMatrix(int index)
        {
            tensors.AddRange(MatrixTensors(matrices[index]));
            if (sites[index].HasBias)
            {
                tensors.Add(Vector(sites[index].Name + ".bias", sites[index].Outputs));
            }
        }
    }

    /// <summary>The least multiple of <paramref name="multiple"/> that is not below <paramref name="value"/>.</summary>
    public static int RoundUp(int value, int multiple) => checked((value + multiple - 1) / multiple * multiple);

    private static long LayerParameters(ModelShape shape) => 2L * shape.HiddenSize + (shape.QueryKeyNorm ? 2L * shape.HeadSize : 0)
        + Sites(shape, 1).Sum(site => (long)site.Outputs * site.Inputs + (site.HasBias ? site.Outputs : 0));

    private static List<ManifestTensor> MatrixTensors(MatrixForm form)
    {
        if (form is { Unit: 0, Base: { } table })
        {
            var width = RoundUp(form.Inputs, table.Group);
            return
            [
                new(form.Name + ".weight", "I8", [form.Outputs, width]),
                new(form.Name + ".scale", "BF16", [form.Outputs, width / table.Group]),
            ];
        }

        var tensors = new List<ManifestTensor>(6);
        if (form.Base is { } dense)
        {
            AddBlocks(".base", form.Outputs, form.Inputs, dense);
        }

        if (form is { Rank: > 0, Factors: { } factors })
        {
            var rank = RoundUp(form.Rank, factors.Group);
            if (form.SharedFactors is null)
            {
                AddBlocks(".v", rank, form.Inputs, factors);
            }

            AddBlocks(".u", form.Outputs, rank, factors);
        }

        return tensors;

        void AddBlocks(string part, int outputs, int inputs, GroupForm groups)
        {
            var blocks = RoundUp(outputs, RowBlock) / RowBlock;
            var count = RoundUp(inputs, groups.Group) / groups.Group;
            tensors.Add(groups.Bits == 8
                ? new(form.Name + part + ".weight", "I8", [blocks, count, groups.Group / 2, RowBlock, 2])
                : new(form.Name + part + ".weight", "U8", [blocks, count, groups.Group * groups.Bits / 32, RowBlock, 4]));
            tensors.Add(new(form.Name + part + ".scale", "BF16", [blocks, count, RowBlock]));
        }
    }

    private static ManifestTensor Vector(string name, int length) => new(name, "F32", [length]);
}
