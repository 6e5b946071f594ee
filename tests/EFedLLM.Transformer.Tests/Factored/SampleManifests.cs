using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Factored;

/// <summary>Valid manifests without files behind them, for tests that then break them.</summary>
internal static class SampleManifests
{
    public static ModelShape Shape { get; } = new()
    {
        Architecture = "Qwen3ForCausalLM",
        VocabularySize = 50,
        HiddenSize = 40,
        IntermediateSize = 72,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 2,
        HeadSize = 16,
        ContextLength = 128,
        NormEpsilon = 1e-5f,
        Rope = new RopeSettings(500000, new RopeScaling(RopeScalingKind.Llama3, 8)),
        TiedEmbeddings = true,
        QueryKeyValueBias = true,
        QueryKeyNorm = true,
        SlidingWindow = 64,
        BeginToken = 1,
        EndTokens = [2, 3],
    };

    /// <param name="shape">The shape, or null for <see cref="Shape"/>.</param>
    /// <param name="rank">Rank of the factors of the feed-forward block.</param>
    /// <param name="group">Inputs that share a scale in the layers.</param>
    /// <param name="bits">Bits of the weights of the layers and the head.</param>
    /// <param name="shared">Whether query, key and value projections have factors too, and one V like the gate and up projections.</param>
    public static ModelManifest Create(ModelShape? shape = null, int rank = 3, int group = 32, int bits = 8, bool shared = false)
    {
        shape ??= Shape;
        var form = new GroupForm(bits, group);
        var matrices = ImmutableArray.CreateBuilder<MatrixForm>();
        var files = ImmutableArray.CreateBuilder<WeightFile>();
        for (var unit = 0; unit < shape.Units; unit++)
        {
            var own = ManifestLayout.Sites(shape, unit).Select(site => Form(unit, site)).ToList();
            matrices.AddRange(own);
            var bytes = ManifestLayout.Tensors(shape, unit, own).Sum(tensor => tensor.Bytes) + 512;
            files.Add(new WeightFile(unit, ManifestLayout.FileName(unit, shape.Layers), bytes, new string((char)('a' + unit % 6), 64)));
        }

        var manifest = new ModelManifest
        {
            Name = "sample",
            Shape = shape,
            Arithmetic = new ArithmeticSettings(16, "float16"),
            Profile = "svd",
            Files = files.ToImmutable(),
            Companions = [new CompanionFile("tokenizer.json", 10, new string('0', 64))],
            Matrices = matrices.ToImmutable(),
            BitsPerWeight = 0,
            Calibration = new CalibrationNote(new string('1', 64), 4096),
            Quality = new QualityNote(new string('2', 64), 4096, 2.5, 2.25),
        };
        return manifest with { BitsPerWeight = manifest.ReadBitsPerWeight };

        MatrixForm Form(int unit, ManifestSite site)
        {
            if (unit == 0)
            {
                return ManifestLayout.Form(unit, site, new GroupForm(8, 32), 0, null);
            }

            var factored = site.Input is InputSite.FeedForward or InputSite.Down || (shared && site.Input == InputSite.Attention);
            var owner = site.Name switch
            {
                "self_attn.k_proj" or "self_attn.v_proj" => "self_attn.q_proj",
                "mlp.up_proj" => "mlp.gate_proj",
                _ => null,
            };
            return ManifestLayout.Form(unit, site, site.Name == "mlp.up_proj" ? null : form, factored ? rank : 0, factored ? form : null, shared ? owner : null);
        }
    }
}
