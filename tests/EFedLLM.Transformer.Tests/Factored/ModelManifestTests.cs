using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Factored;

public sealed class ModelManifestTests
{
    private static readonly RopeScaling?[] Scalings = [null, new(RopeScalingKind.Linear, 2.5), new(RopeScalingKind.Llama3, 32, 1, 4, 8192)];

    private static readonly Gen<ModelManifest> Manifests =
        from layers in Gen.Int[1, 5]
        from hidden in Gen.Int[1, 100]
        from feedForward in Gen.Int[1, 100]
        from keys in Gen.Int[1, 4]
        from perKey in Gen.Int[1, 3]
        from half in Gen.Int[1, 20]
        from vocabulary in Gen.Int[4, 300]
        from flags in Gen.Int[0, 31]
        from scaling in Gen.Int[0, 2].Select(kind => Scalings[kind])
        from width in Gen.Int[1, 2].Select(halves => halves * 32)
        from shared in Gen.Bool
        select SampleManifests.Create(
            SampleManifests.Shape with
            {
                Layers = layers,
                HiddenSize = hidden,
                IntermediateSize = feedForward,
                Heads = keys * perKey,
                KeyValueHeads = keys,
                HeadSize = half * 2,
                VocabularySize = vocabulary,
                TiedEmbeddings = (flags & 1) != 0,
                QueryKeyValueBias = (flags & 2) != 0,
                OutputBias = (flags & 4) != 0,
                FeedForwardBias = (flags & 8) != 0,
                QueryKeyNorm = (flags & 16) != 0,
                Rope = new RopeSettings(10000, scaling),
            },
            rank: 1,
            width,
            shared: shared);

    [Fact]
    public void Every_manifest_survives_writing_and_reading() => Manifests.Sample(manifest =>
    {
        var json = manifest.ToJson();
        var read = ModelManifest.Parse(json);
        Assert.Equal(manifest.Shape with { EndTokens = [] }, read.Shape with { EndTokens = [] });
        Assert.Equal(manifest.Shape.EndTokens.AsEnumerable(), read.Shape.EndTokens.AsEnumerable());
        Assert.Equal(manifest.Matrices.AsEnumerable(), read.Matrices.AsEnumerable());
        Assert.Equal(manifest.Files.AsEnumerable(), read.Files.AsEnumerable());
        Assert.Equal(manifest.Companions.AsEnumerable(), read.Companions.AsEnumerable());
        Assert.Equal((manifest.Calibration, manifest.Quality), (read.Calibration, read.Quality));
        Assert.Equal(json, read.ToJson());
    });

    [Fact]
    public void The_text_is_camel_case_with_names_of_enums_and_unix_lines()
    {
        var text = Encoding.UTF8.GetString(SampleManifests.Create().ToJson());
        Assert.Contains("\"keyValueHeads\": 2", text, StringComparison.Ordinal);
        Assert.Contains("\"kind\": \"llama3\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', text);
        Assert.EndsWith("}\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_model_id_is_the_hash_of_the_bytes() =>
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ModelManifest.IdOf("abc"u8).Value);

    [Fact]
    public void A_manifest_without_shared_factors_keeps_the_id_it_had_before_there_were_any()
    {
        // Caches were of float32 then.
        var json = Encoding.UTF8.GetString(SampleManifests.Create().ToJson()).Replace("float16", "float32", StringComparison.Ordinal);
        Assert.Equal("fdef8c2880e7171a10a1b57da5b2ae9d5d3396569fe713578d1c399a3d9e6895", ModelManifest.IdOf(Encoding.UTF8.GetBytes(json)).Value);
    }

    [Fact]
    public void Shared_factors_are_written_and_counted_by_their_owner_alone()
    {
        var (plain, shared) = (Layer(shared: false), Layer(shared: true));
        var (queryV, gateV) = (32 * 64 + 32 * 2 * 2, 32 * 64 + 32 * 2 * 2);
        var (queryU, keyU) = (64 * 32 + 64 * 2, 32 * 32 + 32 * 2);
        Assert.Equal(plain.UnitReadBytes(1) + queryV + queryU + 2 * keyU - gateV, shared.UnitReadBytes(1));
        Assert.Equal(plain.Matrices[1].Bytes + queryV + queryU, shared.Matrices[1].Bytes);
        Assert.Equal(plain.Matrices[2].Bytes + keyU, shared.Matrices[2].Bytes);
        Assert.Equal(
            ["self_attn.q_proj.v.weight", "mlp.gate_proj.v.weight", "mlp.down_proj.v.weight"],
            shared.Tensors(1).Select(tensor => tensor.Name).Where(name => name.EndsWith(".v.weight", StringComparison.Ordinal)));
        Assert.Contains("\"sharedFactors\": \"mlp.gate_proj\"", Encoding.UTF8.GetString(shared.ToJson()), StringComparison.Ordinal);

        static ModelManifest Layer(bool shared) => SampleManifests.Create(shared: shared);
    }

    [Fact]
    public void A_table_is_read_by_one_row_and_every_other_unit_as_a_whole()
    {
        var manifest = SampleManifests.Create();
        Assert.Equal(64 + 2 * 2, manifest.UnitReadBytes(0));
        Assert.Equal(
            manifest.MatricesOf(1).Sum(form => form.Bytes) + 4 * (40 + 40 + 16 + 16 + 64 + 32 + 32),
            manifest.UnitReadBytes(1));
        Assert.Equal(manifest.MatricesOf(3).Sum(form => form.Bytes) + 4 * 40, manifest.UnitReadBytes(3));
    }

    [Fact]
    public void Bits_as_read_are_the_bytes_of_a_token_over_the_weights_it_uses()
    {
        var manifest = SampleManifests.Create();
        var linear = manifest.Matrices.Skip(1).Sum(form => (long)form.Outputs * form.Inputs);
        var vectors = 40 + 2 * (40 + 40 + 16 + 16 + 64 + 32 + 32);
        Assert.Equal(40 + linear + vectors, ManifestLayout.ParametersPerToken(manifest.Shape));
        Assert.Equal(Enumerable.Range(0, 4).Sum(manifest.UnitReadBytes), manifest.ReadBytesPerToken);
        Assert.Equal(manifest.ReadBytesPerToken * 8.0 / (40 + linear + vectors), manifest.ReadBitsPerWeight);
    }

    [Fact]
    public void Padding_and_scales_are_counted()
    {
        var site = new ManifestSite("mlp.gate_proj", 17, 33, false, InputSite.FeedForward);
        Assert.Equal(32 * 64 + 32 * 2 * 2, ManifestLayout.Form(1, site, new GroupForm(8, 32), 0, null).Bytes);
        Assert.Equal(32 * 64 + 32 * 2 * 2 + 32 * 32 + 32 * 2, ManifestLayout.Form(1, site, null, 5, new GroupForm(8, 32)).Bytes);
    }

    [Theory]
    [InlineData("format", "\"gguf\"", "format")]
    [InlineData("version", "2", "version 2")]
    [InlineData("name", "\"\"", "name")]
    [InlineData("name", "null", "name")]
    [InlineData("profile", "\"a b\"", "profile")]
    [InlineData("bitsPerWeight", "8", "bitsPerWeight")]
    [InlineData("extra", "1", "extra")]
    [InlineData("shape.layers", "100000", "shape.layers")]
    [InlineData("shape.layers", "3", "matrices")]
    [InlineData("shape.layers", "1.5", "layers")]
    [InlineData("shape.hiddenSize", "-1", "shape.hiddenSize")]
    [InlineData("shape.heads", "0", "shape.heads")]
    [InlineData("shape.keyValueHeads", "3", "shape.keyValueHeads")]
    [InlineData("shape.headSize", "15", "shape.headSize")]
    [InlineData("shape.headSize", "1000000000", "shape.headSize")]
    [InlineData("shape.vocabularySize", "2147483647", "shape.vocabularySize")]
    [InlineData("shape.normEpsilon", "-1", "shape.normEpsilon")]
    [InlineData("shape.endTokens", "[2, 50]", "shape.endTokens")]
    [InlineData("shape.beginToken", "-1", "shape.beginToken")]
    [InlineData("shape.slidingWindow", "0", "shape.slidingWindow")]
    [InlineData("shape.rope.theta", "0", "shape.rope.theta")]
    [InlineData("shape.rope.scaling.kind", "\"yarn\"", "kind")]
    [InlineData("shape.rope.scaling.kind", "1", "kind")]
    [InlineData("shape.rope.scaling.factor", "0", "shape.rope.scaling.factor")]
    [InlineData("arithmetic.activationBits", "8", "arithmetic.activationBits")]
    [InlineData("arithmetic.keyValueCache", "\"int8\"", "arithmetic.keyValueCache")]
    [InlineData("arithmetic.keyValueCache", "\"float32\"", "arithmetic.keyValueCache")]
    [InlineData("files", "[]", "files")]
    [InlineData("files[1].name", "\"../layer-0000.safetensors\"", "files[1]")]
    [InlineData("files[1].unit", "2", "files[1]")]
    [InlineData("files[1].bytes", "9223372036854775807", "files[1].bytes")]
    [InlineData("files[1].bytes", "1", "files[1].bytes")]
    [InlineData("files[0].sha256", "\"AB\"", "files[0].sha256")]
    [InlineData("files[0]", "null", "files[0]")]
    [InlineData("companions[0].name", "\"a/b\"", "companions[0].name")]
    [InlineData("companions[0].name", "\"..\"", "companions[0].name")]
    [InlineData("companions[0].name", "\"nul.txt\"", "companions[0].name")]
    [InlineData("companions[0].name", "\"Manifest.json\"", "companions[0].name")]
    [InlineData("companions[0].bytes", "-1", "companions[0].bytes")]
    [InlineData("companions[0].sha256", "\"\"", "companions[0].sha256")]
    [InlineData("matrices[1].outputs", "63", "matrices[1]")]
    [InlineData("matrices[1].name", "\"self_attn.k_proj\"", "matrices[1]")]
    [InlineData("matrices[1].base.bits", "3", "matrices[1].base")]
    [InlineData("matrices[1].base.bits", "7", "matrices[1].base")]
    [InlineData("matrices[1].base.bits", "16", "matrices[1].base")]
    [InlineData("matrices[1].base.bits", "4", "matrices[1].bytes")]
    [InlineData("matrices[5].factors.bits", "7", "matrices[5].factors")]
    [InlineData("matrices[0].base.bits", "4", "matrices[0]")]
    [InlineData("matrices[1].base.group", "0", "matrices[1].base")]
    [InlineData("matrices[1].base", "null", "matrices[1]")]
    [InlineData("matrices[1].rank", "4", "matrices[1].factors")]
    [InlineData("matrices[5].rank", "41", "matrices[5].rank")]
    [InlineData("matrices[5].bytes", "0", "matrices[5].bytes")]
    [InlineData("matrices[0].base.group", "64", "matrices[0]")]
    [InlineData("calibration.tokens", "0", "calibration.tokens")]
    [InlineData("quality.perplexity", "0.5", "quality")]
    public void A_field_out_of_bounds_is_refused_by_name(string path, string value, string named) =>
        AssertRefused(SampleManifests.Create(), path, value, named);

    [Theory]
    [InlineData("matrices[2].sharedFactors", "\"\"", "matrices[2].sharedFactors does not name an earlier")]
    [InlineData("matrices[2].sharedFactors", "\"self_attn.k_proj\"", "matrices[2].sharedFactors does not name an earlier")]
    [InlineData("matrices[1].sharedFactors", "\"self_attn.k_proj\"", "matrices[1].sharedFactors does not name an earlier")]
    [InlineData("matrices[8].sharedFactors", "\"mlp.down_proj\"", "matrices[8].sharedFactors does not name an earlier")]
    [InlineData("matrices[6].sharedFactors", "\"self_attn.q_proj\"", "matrices[6].sharedFactors is self_attn.q_proj, which has another input")]
    [InlineData("matrices[7].sharedFactors", "\"mlp.gate_proj\"", "matrices[7].sharedFactors is mlp.gate_proj, which has another input")]
    [InlineData("matrices[3].sharedFactors", "\"self_attn.k_proj\"", "matrices[3].sharedFactors is self_attn.k_proj, which has no V of its own")]
    [InlineData("matrices[2].rank", "4", "matrices[2].sharedFactors is self_attn.q_proj, whose factors have another rank")]
    [InlineData("matrices[2].factors.group", "64", "matrices[2].sharedFactors is self_attn.q_proj, whose factors have another rank or form")]
    [InlineData("matrices[4].sharedFactors", "\"self_attn.q_proj\"", "matrices[4].sharedFactors is there, but the rank is 0")]
    [InlineData("matrices[0].sharedFactors", "\"embed\"", "matrices[0].sharedFactors is there, but the rank is 0")]
    [InlineData("matrices[2].sharedFactors", "null", "matrices[2].bytes")]
    [InlineData("matrices[2].sharedFactors", "1", "sharedFactors")]
    [InlineData("matrices[2].sharedFactors", "[]", "sharedFactors")]
    public void Factors_that_cannot_be_shared_are_refused_by_name(string path, string value, string named) =>
        AssertRefused(SampleManifests.Create(shared: true), path, value, named);

    [Fact]
    public void A_matrix_without_factors_shares_none()
    {
        var manifest = SampleManifests.Create(shared: true);
        var site = ManifestLayout.Sites(manifest.Shape, 1)[0];
        var broken = manifest with { Matrices = manifest.Matrices.SetItem(1, ManifestLayout.Form(1, site, new GroupForm(8, 32), 0, null)) };
        Assert.Contains("matrices[2].sharedFactors is self_attn.q_proj, which has no V", Assert.Throws<InvalidDataException>(broken.ToJson).Message, StringComparison.Ordinal);
    }

    private static void AssertRefused(ModelManifest manifest, string path, string value, string named)
    {
        var json = JsonNode.Parse(manifest.ToJson())!;
        var parts = path.Replace("[", ".[", StringComparison.Ordinal).Split('.');
        var parent = parts[..^1].Aggregate(json, (node, part) => part[0] == '[' ? node[int.Parse(part[1..^1])]! : node[part]!);
        if (parts[^1][0] == '[')
        {
            parent[int.Parse(parts[^1][1..^1])] = JsonNode.Parse(value);
        }
        else
        {
            parent[parts[^1]] = JsonNode.Parse(value);
        }

        var error = Assert.Throws<InvalidDataException>(() => ModelManifest.Parse(Encoding.UTF8.GetBytes(json.ToJsonString())));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"format\": \"efedllm-factored\", \"version\": 1}")]
    [InlineData("{\"format\": \"efedllm-factored\", \"version\": 1, \"version\": 1}")]
    public void Something_else_is_refused(string json) =>
        Assert.Throws<InvalidDataException>(() => ModelManifest.Parse(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void A_manifest_beyond_the_size_limit_is_refused_unread() =>
        Assert.Contains("at most", Assert.Throws<InvalidDataException>(() => ModelManifest.Parse(new byte[(4 << 20) + 1])).Message, StringComparison.Ordinal);

    [Fact]
    public void Mutated_bytes_are_read_or_refused_and_never_anything_else()
    {
        var json = SampleManifests.Create(shared: true).ToJson();
        var mutations = Gen.Select(Gen.Int[0, json.Length - 1], Gen.Byte, Gen.Int[0, json.Length]);
        mutations.Sample((at, value, length) =>
        {
            var changed = json.ToArray();
            changed[at] = value;
            foreach (var bytes in new[] { changed, json[..length], changed[..length] })
            {
                try
                {
                    ModelManifest.Parse(bytes).ToJson();
                }
                catch (InvalidDataException error)
                {
                    Assert.NotEmpty(error.Message);
                }
            }
        }, iter: 3000);
    }
}
