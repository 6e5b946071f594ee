using System.Text.Json;
using CsCheck;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Tests.Checkpoints;

public sealed class CheckpointTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("LlamaForCausalLM", false)]
    [InlineData("MistralForCausalLM", false)]
    [InlineData("Qwen2ForCausalLM", true)]
    [InlineData("Qwen3ForCausalLM", true)]
    public void Every_weight_comes_from_the_tensor_of_its_name(string architecture, bool tied)
    {
        TinyCheckpoint.Write(_folder, TinyCheckpoint.With(("architectures", $"[\"{architecture}\"]"), ("head_dim", "4"), ("tie_word_embeddings", tied ? "true" : "false")));
        using var model = Checkpoint.Open(_folder.Path);
        var layer = model.LoadLayer(1);
        var row = new float[8];
        model.LoadEmbedding().Lookup(10, row);

        Assert.Equal(Enumerable.Range(80, 8).Select(i => TinyCheckpoint.Value("model.embed_tokens.weight", i)), row);
        Assert.Equal(Values("model.layers.1.input_layernorm.weight", 8), layer.InputNorm);
        Assert.Equal(Values("model.layers.1.post_attention_layernorm.weight", 8), layer.PostAttentionNorm);
        AssertMatrix(layer.Query, "model.layers.1.self_attn.q_proj", 16, 8, architecture == "Qwen2ForCausalLM");
        AssertMatrix(layer.Key, "model.layers.1.self_attn.k_proj", 8, 8, architecture == "Qwen2ForCausalLM");
        AssertMatrix(layer.Value, "model.layers.1.self_attn.v_proj", 8, 8, architecture == "Qwen2ForCausalLM");
        AssertMatrix(layer.Output, "model.layers.1.self_attn.o_proj", 8, 16, false);
        AssertMatrix(layer.Gate, "model.layers.1.mlp.gate_proj", 12, 8, false);
        AssertMatrix(layer.Up, "model.layers.1.mlp.up_proj", 12, 8, false);
        AssertMatrix(layer.Down, "model.layers.1.mlp.down_proj", 8, 12, false);
        Assert.Equal(architecture == "Qwen3ForCausalLM" ? Values("model.layers.1.self_attn.q_norm.weight", 4) : null, layer.QueryNorm);
        Assert.Equal(architecture == "Qwen3ForCausalLM" ? Values("model.layers.1.self_attn.k_norm.weight", 4) : null, layer.KeyNorm);
        var head = model.LoadHead();
        Assert.Equal(Values("model.norm.weight", 8), head.Norm);
        AssertMatrix(head.Projection, tied ? "model.embed_tokens" : "lm_head", 11, 8, false);
    }

    [Fact]
    public void A_sharded_checkpoint_is_the_same_model_as_one_in_a_single_file()
    {
        using var whole = new ScratchFolder();
        TinyCheckpoint.Write(whole, TinyCheckpoint.Llama);
        WriteShards();
        using var one = Checkpoint.Open(whole.Path);
        using var many = Checkpoint.Open(_folder.Path);

        Assert.Equal(one.Id, many.Id);
        Assert.Equal(one.LoadLayer(0).InputNorm, many.LoadLayer(0).InputNorm);
        Assert.Equal(one.LoadHead().Norm, many.LoadHead().Norm);
    }

    [Fact]
    public void The_identity_changes_with_a_weight_and_with_the_configuration()
    {
        TinyCheckpoint.Write(_folder, TinyCheckpoint.Llama);
        var id = Id();
        TinyCheckpoint.Write(_folder, TinyCheckpoint.With(("rope_theta", "10001")));
        var otherTheta = Id();
        var tensors = TinyCheckpoint.Tensors(_folder, TinyCheckpoint.Llama);
        TinyCheckpoint.WriteWeights(_folder, "model.safetensors", tensors, (name, i) => TinyCheckpoint.Value(name, i) + (name.Contains("up_proj", StringComparison.Ordinal) && i == 3 ? 1 : 0));

        Assert.Equal(3, new[] { id, otherTheta, Id() }.Distinct().Count());

        ModelId Id()
        {
            using var model = Checkpoint.Open(_folder.Path);
            return model.Id;
        }
    }

    [Fact]
    public void Parameters_and_bytes_count_a_tied_head_once_where_it_is_stored_and_twice_where_it_is_loaded()
    {
        TinyCheckpoint.Write(_folder, TinyCheckpoint.With(("tie_word_embeddings", "true")));
        using var model = Checkpoint.Open(_folder.Path);

        const int Layer = 8 + 8 + 8 * 8 + 4 * 8 + 4 * 8 + 8 * 8 + 3 * 8 * 12;
        Assert.Equal(11 * 8 + 2 * Layer + 8, model.Parameters);
        Assert.Equal([4L * 11 * 8, 4 * Layer, 4 * Layer, 4 * (8 + 11 * 8)], Enumerable.Range(0, 4).Select(model.UnitBytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.UnitBytes(4));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_weight_that_is_not_finite_is_refused_with_the_name_of_its_tensor(float bad)
    {
        var tensors = TinyCheckpoint.Tensors(_folder, TinyCheckpoint.Llama);
        TinyCheckpoint.WriteWeights(_folder, "model.safetensors", tensors, (name, i) => name == "model.layers.0.mlp.up_proj.weight" && i == 95 ? bad : i == 0 ? float.MaxValue : -float.Epsilon);
        using var model = Checkpoint.Open(_folder.Path);
        model.LoadLayer(1);

        var error = Assert.Throws<InvalidDataException>(() => model.LoadLayer(0));

        Assert.Contains("model.layers.0.mlp.up_proj.weight", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_or_misshapen_tensor_is_refused_when_the_folder_is_opened()
    {
        var tensors = TinyCheckpoint.Tensors(_folder, TinyCheckpoint.Llama);
        foreach (var name in tensors.Keys)
        {
            TinyCheckpoint.WriteWeights(_folder, "model.safetensors", tensors.Where(tensor => tensor.Key != name).ToDictionary());
            AssertNamed(name);
            TinyCheckpoint.WriteWeights(_folder, "model.safetensors", tensors.ToDictionary(tensor => tensor.Key, tensor => tensor.Key == name ? [.. tensor.Value, 1] : tensor.Value));
            AssertNamed(name);
            TinyCheckpoint.WriteWeights(_folder, "model.safetensors", tensors.ToDictionary(tensor => tensor.Key, tensor => tensor.Key == name ? [tensor.Value[0] + 1, .. tensor.Value[1..]] : tensor.Value));
            AssertNamed(name);
        }

        void AssertNamed(string name) => Assert.Contains($"\"{name}\"", Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.layers.1.self_attn.q_proj.bias")]
    [InlineData("model.layers.0.mlp.down_proj.bias")]
    [InlineData("model.layers.0.self_attn.k_norm.weight")]
    public void A_tensor_that_would_be_left_out_of_the_computation_is_refused(string name)
    {
        var tensors = TinyCheckpoint.Tensors(_folder, TinyCheckpoint.Llama);
        tensors[name] = [8];
        TinyCheckpoint.WriteWeights(_folder, "model.safetensors", tensors);

        Assert.Contains(name, Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_is_read_only_in_its_own_shape()
    {
        TinyCheckpoint.Write(_folder, TinyCheckpoint.Llama);
        using var model = Checkpoint.Open(_folder.Path);

        Assert.True(model.Contains("lm_head.weight"));
        Assert.False(model.Contains("lm_head.bias"));
        Assert.Equal(Values("lm_head.weight", 88), model.Read("lm_head.weight", 11, 8));
        Assert.Throws<InvalidDataException>(() => model.Read("lm_head.weight", 8, 11));
        Assert.Throws<InvalidDataException>(() => model.Read("lm_head.weight", 88));
        Assert.Throws<InvalidDataException>(() => model.Read("lm_head.bias", 11));
    }

    [Theory]
    [InlineData("""{"weight_map":{"lm_head.weight":"../model-2.safetensors"}}""")]
    [InlineData("""{"weight_map":{"lm_head.weight":"/etc/x.safetensors"}}""")]
    [InlineData("""{"weight_map":{"lm_head.weight":".safetensors"}}""")]
    [InlineData("""{"weight_map":{"lm_head.weight":"config.json"}}""")]
    [InlineData("""{"weight_map":{"lm_head.weight":7}}""")]
    [InlineData("""{"weight_map":{"lm_head.weight":"model-1.safetensors"}}""")]
    [InlineData("""{"weight_map":[]}""")]
    [InlineData("{}")]
    public void An_index_that_leads_out_of_the_folder_or_to_the_wrong_file_is_refused(string index)
    {
        WriteShards();
        _folder.Write("model.safetensors.index.json", index);

        Assert.Contains("model.safetensors.index.json", Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_in_two_files_and_a_file_that_is_not_there_are_refused()
    {
        WriteShards();
        File.Copy(_folder.File("model-1.safetensors"), _folder.File("model-2.safetensors"), overwrite: true);
        Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder.Path));
        File.Delete(_folder.File("model-2.safetensors"));
        Assert.Throws<FileNotFoundException>(() => Checkpoint.Open(_folder.Path));
    }

    [Fact]
    public void A_folder_without_weights_or_with_weights_of_another_format_says_what_to_do()
    {
        Assert.Throws<FileNotFoundException>(() => Checkpoint.Open(_folder.File("nowhere")));
        _folder.Write("config.json", TinyCheckpoint.Llama);
        Assert.Contains("fetch", Assert.Throws<FileNotFoundException>(() => Checkpoint.Open(_folder.Path)).Message, StringComparison.Ordinal);
        _folder.Write("pytorch_model.bin", "x");
        Assert.Contains("convert", Assert.Throws<NotSupportedException>(() => Checkpoint.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_reference_product_is_the_sum_over_32_lanes() => Gen.Int[1, 100].SelectMany(length => Gen.Float[-8, 8].Array[length].Array[2]).Sample(rows =>
    {
        var lanes = new float[32];
        for (var i = 0; i < rows[0].Length; i++)
        {
            lanes[i % 32] = MathF.FusedMultiplyAdd(rows[0][i], rows[1][i], lanes[i % 32]);
        }

        foreach (var width in new[] { 16, 8, 4, 2, 1 })
        {
            lanes = [.. Enumerable.Range(0, width).Select(lane => lanes[lane] + lanes[lane + width])];
        }

        Assert.Equal(BitConverter.SingleToInt32Bits(lanes[0]), BitConverter.SingleToInt32Bits(FloatKernels.Best.Dot(rows[0], rows[1])));
    });

    [SharedTheory]
    [InlineData("stories260K", 260_032)]
    [InlineData("stories3M", 3_148_224)]
    [InlineData("babyllama-105", 936_448)]
    [InlineData("efed-mini", 1_377_920)]
    public void Real_models_are_opened_whole(string name, long parameters)
    {
        using var model = Checkpoint.Open(SharedModels.Model(name));

        Assert.Equal(parameters, model.Parameters);
        Assert.All(Enumerable.Range(0, model.Shape.Layers), layer => model.LoadLayer(layer));
        Assert.Equal(model.Shape.VocabularySize, model.LoadHead().Projection.Outputs);
    }

    private static float[] Values(string name, int count) => [.. Enumerable.Range(0, count).Select(i => TinyCheckpoint.Value(name, i))];

    /// <summary>Applies a matrix to unit vectors: each gives back one column.</summary>
    private static void AssertMatrix(LinearLayer matrix, string name, int outputs, int inputs, bool hasBias)
    {
        Assert.Equal((outputs, inputs), (matrix.Outputs, matrix.Inputs));
        Assert.Equal(hasBias ? Values(name + ".bias", outputs) : null, matrix.Bias);
        using var team = new ComputeTeam(1);
        var unit = new float[inputs];
        var column = new float[outputs];
        for (var input = 0; input < inputs; input++)
        {
            Array.Clear(unit);
            unit[input] = 1;
            matrix.Apply(unit, 1, column, new LinearWorkspace(), team);
            Assert.Equal(Enumerable.Range(0, outputs).Select(output => TinyCheckpoint.Value(name + ".weight", output * inputs + input) + (matrix.Bias?[output] ?? 0)), column);
        }
    }

    private void WriteShards()
    {
        var tensors = TinyCheckpoint.Tensors(_folder, TinyCheckpoint.Llama);
        var files = tensors.ToDictionary(tensor => tensor.Key, tensor => tensor.Key.Contains("layers.1", StringComparison.Ordinal) || tensor.Key == "lm_head.weight" ? "model-2.safetensors" : "model-1.safetensors");
        foreach (var file in files.Values.Distinct())
        {
            TinyCheckpoint.WriteWeights(_folder, file, tensors.Where(tensor => files[tensor.Key] == file).ToDictionary());
        }

        _folder.Write("model.safetensors.index.json", JsonSerializer.Serialize(new { metadata = new { total_size = 1 }, weight_map = files }));
    }
}
