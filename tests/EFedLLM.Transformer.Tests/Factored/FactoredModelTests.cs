using System.Runtime.InteropServices;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tests.Linear;

namespace EFedLLM.Transformer.Tests.Factored;

public sealed class FactoredModelTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(8, false)]
    [InlineData(6, false)]
    [InlineData(5, false)]
    [InlineData(4, false)]
    [InlineData(8, true)]
    public void A_folder_is_opened_loaded_and_verified(int bits, bool shared)
    {
        var manifest = FactoredFolder.Write(_folder, sample: SampleManifests.Create(bits: bits, shared: shared));
        Assert.True(FactoredModel.IsFactored(_folder.Path));
        using var model = FactoredModel.Open(_folder.Path);
        Assert.Equal(ModelManifest.IdOf(File.ReadAllBytes(_folder.File("manifest.json"))), model.Id);
        Assert.Equal(_folder.Path, model.Folder);
        model.VerifyCompanions();
        for (var unit = 0; unit < manifest.Shape.Units; unit++)
        {
            model.Verify(unit);
            Assert.Equal(new FileInfo(_folder.File(manifest.Files[unit].Name)).Length, model.UnitBytes(unit));
        }

        var layer = model.LoadLayer(1);
        using var file = SafetensorsFile.Open(_folder.File("layer-0001.safetensors"));
        Assert.Equal(Vector(file, "input_layernorm.weight"), layer.InputNorm);
        Assert.Equal(Vector(file, "post_attention_layernorm.weight"), layer.PostAttentionNorm);
        Assert.Equal(Vector(file, "self_attn.q_norm.weight"), layer.QueryNorm);
        Assert.Equal(Vector(file, "self_attn.k_norm.weight"), layer.KeyNorm);
        Assert.Equal(Vector(file, "self_attn.k_proj.bias"), layer.Key.Bias);
        Assert.Null(layer.Down.Bias);
        LinearLayer[] layers = [layer.Query, layer.Key, layer.Value, layer.Output, layer.Gate, layer.Up, layer.Down];
        Assert.Equal(
            manifest.MatricesOf(2).Select(form => form.Bytes).Zip(layers, (bytes, matrix) => bytes + 4 * (matrix.Bias?.Length ?? 0)),
            layers.Select(matrix => matrix.WeightBytes));
        foreach (var (form, matrix) in manifest.MatricesOf(2).Zip(layers))
        {
            AssertComputes(file, form, matrix);
        }

        var head = model.LoadHead();
        using var headFile = SafetensorsFile.Open(_folder.File("head.safetensors"));
        Assert.Equal(Vector(headFile, "norm.weight"), head.Norm);
        AssertComputes(headFile, manifest.MatricesOf(3)[0], head.Projection);
    }

    [Fact]
    public void A_row_of_the_embedding_is_its_integers_times_their_scales()
    {
        var manifest = FactoredFolder.Write(_folder);
        using var model = FactoredModel.Open(_folder.Path);
        var embedding = model.LoadEmbedding();
        using var file = SafetensorsFile.Open(_folder.File("embedding.safetensors"));
        var table = MemoryMarshal.Cast<byte, sbyte>(file.Bytes("embed.weight"));
        var scales = MemoryMarshal.Cast<byte, ushort>(file.Bytes("embed.scale"));
        Assert.Equal((50, 40, 64 + 2 * 2), (embedding.Rows, embedding.Width, embedding.BytesPerRow));
        Assert.Equal(manifest.UnitReadBytes(0), embedding.BytesPerRow);
        var row = new float[40];
        for (var token = 0; token < 50; token++)
        {
            embedding.Lookup(token, row);
            for (var i = 0; i < 40; i++)
            {
                Assert.Equal((double)table[token * 64 + i] * BFloat16.ToSingle(scales[token * 2 + i / 32]), row[i]);
            }
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => embedding.Lookup(50, row));
        Assert.Throws<ArgumentOutOfRangeException>(() => embedding.Lookup(-1, row));
        Assert.Throws<ArgumentOutOfRangeException>(() => embedding.Lookup(0, new float[41]));
    }

    [Fact]
    public void A_folder_may_lack_the_units_that_are_not_used()
    {
        FactoredFolder.Write(_folder);
        File.Delete(_folder.File("head.safetensors"));
        using var model = FactoredModel.Open(_folder.Path);
        model.LoadLayer(0);
        Assert.Contains("head.safetensors", Assert.Throws<FileNotFoundException>(model.LoadHead).Message, StringComparison.Ordinal);
        Assert.Contains("head.safetensors", Assert.Throws<FileNotFoundException>(() => model.Verify(3)).Message, StringComparison.Ordinal);
        File.Delete(_folder.File("manifest.json"));
        Assert.False(FactoredModel.IsFactored(_folder.Path));
        Assert.Throws<FileNotFoundException>(() => FactoredModel.Open(_folder.Path));
    }

    [Fact]
    public void A_file_of_another_length_or_content_is_refused_by_name()
    {
        FactoredFolder.Write(_folder);
        var path = _folder.File("layer-0000.safetensors");
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..^1]);
        Assert.Contains("layer-0000.safetensors", Assert.Throws<InvalidDataException>(() => FactoredModel.Open(_folder.Path)).Message, StringComparison.Ordinal);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
        _folder.Write("tokenizer.json", "Tokenizers");
        using var model = FactoredModel.Open(_folder.Path);
        model.Verify(0);
        Assert.Contains("layer-0000.safetensors", Assert.Throws<InvalidDataException>(() => model.Verify(1)).Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.json", Assert.Throws<InvalidDataException>(model.VerifyCompanions).Message, StringComparison.Ordinal);
        File.WriteAllBytes(path, bytes[..^1]);
        Assert.Throws<InvalidDataException>(() => model.Verify(1));
        Assert.Throws<InvalidDataException>(() => model.LoadLayer(0));
    }

    [Fact]
    public void A_manifest_beyond_the_limit_is_refused_unread()
    {
        FactoredFolder.Write(_folder);
        using (var stream = new FileStream(_folder.File("manifest.json"), FileMode.Open))
        {
            stream.SetLength(1L << 40);
        }

        Assert.Contains("at most", Assert.Throws<InvalidDataException>(() => FactoredModel.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Changes => new()
    {
        { "a tensor less", "\"lm_head.base.scale\" is missing" },
        { "a tensor more", "\"more\" does not belong" },
        { "another order", "\"lm_head.base.scale\" BF16" },
        { "another name", "\"lm_tail.base.weight\"" },
        { "another type", "\"lm_head.base.weight\" U8" },
        { "another shape", "[2, 4, 16, 16, 2]" },
        { "a norm of NaN", "\"norm.weight\" has a value" },
        { "an infinite scale", "\"lm_head.base.scale\" has a value" },
        { "a negative scale", "\"lm_head.base.scale\" has a value" },
        { "a huge scale", "\"lm_head.base.scale\" has a value" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_file_that_holds_something_else_is_refused(string change, string named)
    {
        FactoredFolder.Write(_folder, 3, tensors =>
        {
            switch (change)
            {
                case "a tensor less":
                    tensors.RemoveAt(2);
                    break;
                case "a tensor more":
                    tensors.Add(("more", SafetensorsType.U8, [1], new byte[1]));
                    break;
                case "another order":
                    tensors.Reverse(1, 2);
                    break;
                case "another name":
                    tensors[1] = tensors[1] with { Name = "lm_tail.base.weight" };
                    break;
                case "another type":
                    tensors[1] = tensors[1] with { Type = SafetensorsType.U8 };
                    break;
                case "another shape":
                    tensors[1] = tensors[1] with { Shape = [2, 4, 16, 16, 2] };
                    break;
                case "a norm of NaN":
                    MemoryMarshal.Cast<byte, float>(tensors[0].Data.AsSpan())[^1] = float.NaN;
                    break;
                default:
                    MemoryMarshal.Cast<byte, ushort>(tensors[2].Data.AsSpan())[^1] = change switch { "an infinite scale" => 0x7F80, "a negative scale" => 0xBF80, _ => 0x7181 };
                    break;
            }

            return tensors;
        });

        using var model = FactoredModel.Open(_folder.Path);
        var error = Assert.Throws<InvalidDataException>(model.LoadHead);
        Assert.Contains("head.safetensors", error.Message, StringComparison.Ordinal);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains("again", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(SafetensorsType.I8, 5, 4)]
    [InlineData(SafetensorsType.U8, 20, 1)]
    [InlineData(SafetensorsType.U8, 10, 2)]
    public void Words_of_another_type_or_shape_are_refused(SafetensorsType type, int words, int bytes)
    {
        FactoredFolder.Write(_folder, 3, tensors =>
        {
            Assert.Equal((SafetensorsType.U8, "4,2,5,16,4"), (tensors[1].Type, string.Join(',', tensors[1].Shape)));
            tensors[1] = tensors[1] with { Type = type, Shape = [4, 2, words, 16, bytes], Data = new byte[4 * 2 * words * 16 * bytes] };
            return tensors;
        }, bits: 5);
        using var model = FactoredModel.Open(_folder.Path);
        Assert.Contains("\"lm_head.base.weight\" U8 [4, 2, 5, 16, 4] belongs", Assert.Throws<InvalidDataException>(model.LoadHead).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_manifests_are_opened_or_refused_and_nothing_else()
    {
        FactoredFolder.Write(_folder);
        HostileFiles.Sample(File.ReadAllBytes(_folder.File("manifest.json")), bytes =>
        {
            _folder.Write("manifest.json", bytes);
            LoadAll();
        }, iterations: 200);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Damaged_weight_files_are_loaded_or_refused_and_nothing_else(int unit)
    {
        var manifest = FactoredFolder.Write(_folder);
        var name = manifest.Files[unit].Name;
        HostileFiles.Sample(File.ReadAllBytes(_folder.File(name)), bytes =>
        {
            _folder.Write(name, bytes);

            // A manifest that agrees with the file about its length, so that what is inside gets its turn.
            var files = manifest.Files.SetItem(unit, manifest.Files[unit] with { Bytes = bytes.Length });
            var changed = manifest with { Files = files, BitsPerWeight = files.Sum(file => file.Bytes) * 8.0 / ManifestLayout.Parameters(manifest.Shape) };
            try
            {
                _folder.Write("manifest.json", changed.ToJson());
            }
            catch (InvalidDataException)
            {
                _folder.Write("manifest.json", manifest.ToJson());
            }

            LoadAll();
        }, iterations: 150);
    }

    [Fact]
    public void Weights_of_a_disposed_model_are_refused_instead_of_crashing()
    {
        FactoredFolder.Write(_folder);
        var model = FactoredModel.Open(_folder.Path);
        var embedding = model.LoadEmbedding();
        var head = model.LoadHead();
        model.Dispose();
        model.Dispose();
        using var team = new ComputeTeam(1);
        Assert.Throws<ObjectDisposedException>(() => embedding.Lookup(0, new float[40]));
        Assert.Throws<ObjectDisposedException>(() => head.Projection.Apply(new float[40], 1, new float[50], new LinearWorkspace(), team));
        Assert.Throws<ObjectDisposedException>(() => model.LoadLayer(0));
    }

    [Fact]
    public void Threads_may_load_at_once()
    {
        FactoredFolder.Write(_folder);
        using var model = FactoredModel.Open(_folder.Path);
        var embeddings = new IEmbedding[16];
        Parallel.For(0, 16, i =>
        {
            model.LoadLayer(i % 2);
            embeddings[i] = model.LoadEmbedding();
        });
        Assert.All(embeddings, embedding => embedding.Lookup(1, new float[40]));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.LoadLayer(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.LoadLayer(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.UnitBytes(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Verify(-1));
    }

    private static float[] Vector(SafetensorsFile file, string name)
    {
        var vector = new float[file.Tensors[name].Elements];
        file.ReadFloat32(name, vector);
        return vector;
    }

    /// <summary>Reads the matrix from the file by the published layout and compares one product with it.</summary>
    private static void AssertComputes(SafetensorsFile file, MatrixForm form, LinearLayer layer)
    {
        var @base = form.Base is null ? null : Part(form.Name + ".base", form.Outputs, form.Inputs, form.Base);
        var rank = form.Factors is null ? 0 : ManifestLayout.RoundUp(form.Rank, form.Factors.Group);
        var v = form.Factors is null ? null : Part((form.SharedFactors ?? form.Name) + ".v", rank, form.Inputs, form.Factors);
        var u = form.Factors is null ? null : Part(form.Name + ".u", form.Outputs, rank, form.Factors);
        var x = new float[form.Inputs];
        HardRows.Fill(x, 0, new Random(5));
        using var team = new ComputeTeam(2);
        var y = new float[form.Outputs];
        layer.Apply(x, 1, y, new LinearWorkspace(), team);
        Assert.Equal(PlainFactored.Apply(@base, v, u, layer.Bias, x), y);
        Assert.Contains(y, value => value != 0);

        PlainFactored Part(string name, int outputs, int inputs, GroupForm own)
        {
            var (bits, group) = own;
            var groups = BlockLayout.Groups(inputs, group);
            var weights = new sbyte[outputs * inputs];
            var scales = new ushort[outputs * groups];
            BlockLayout.Unpack(MemoryMarshal.Cast<byte, sbyte>(file.Bytes(name + ".weight")), outputs, inputs, group, bits, weights);
            BlockLayout.UnpackScales(MemoryMarshal.Cast<byte, ushort>(file.Bytes(name + ".scale")), outputs, groups, scales);
            return new(outputs, inputs, group, weights, scales, bits);
        }
    }

    private void LoadAll()
    {
        using var model = FactoredModel.Open(_folder.Path);
        model.LoadEmbedding();
        model.LoadLayer(0);
        model.LoadHead();
    }
}
