using System.Text;
using System.Text.Json;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Checkpoints;

public sealed class HostileCheckpointTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Damaged_weights_are_read_or_refused_clearly()
    {
        TinyCheckpoint.Write(_folder, TinyCheckpoint.Llama);
        HostileFiles.Sample(File.ReadAllBytes(_folder.File("model.safetensors")), Open("model.safetensors"));
    }

    [Fact]
    public void A_damaged_header_is_read_or_refused_clearly()
    {
        using (var stream = File.Create(_folder.File("x.safetensors")))
        {
            var writer = new SafetensorsWriter(stream, [("a", SafetensorsType.F16, [2, 3]), ("b", SafetensorsType.I64, []), ("c", SafetensorsType.BF16, [0])]);
            writer.Write(new byte[12]);
            writer.Write(new byte[8]);
            writer.Finish();
        }

        HostileFiles.Sample(File.ReadAllBytes(_folder.File("x.safetensors")), bytes =>
        {
            using var file = SafetensorsFile.Open(_folder.Write("x.safetensors", bytes));
            foreach (var tensor in file.Ordered.Where(tensor => tensor.Type is SafetensorsType.F16 or SafetensorsType.BF16 or SafetensorsType.F32))
            {
                file.ReadFloat32(tensor.Name, new float[tensor.Elements]);
            }

            foreach (var tensor in file.Ordered)
            {
                Assert.Equal(tensor.Bytes, file.Bytes(tensor.Name).ToArray().Length);
            }
        });
    }

    [Fact]
    public void A_damaged_configuration_is_read_or_refused_clearly()
    {
        var config = TinyCheckpoint.With(
            ("rope_scaling", """{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":8192}"""), ("head_dim", "2"), ("eos_token_id", "[2,3]"));
        TinyCheckpoint.Write(_folder, config);
        HostileFiles.Sample(Encoding.UTF8.GetBytes(config), Open("config.json"));
    }

    [Fact]
    public void Damaged_generation_settings_are_read_or_refused_clearly()
    {
        TinyCheckpoint.Write(_folder, TinyCheckpoint.Llama);
        HostileFiles.Sample("""{"bos_token_id":1,"eos_token_id":[2,5,7]}"""u8.ToArray(), Open("generation_config.json"), iterations: 1000);
    }

    [Fact]
    public void A_damaged_index_is_read_or_refused_clearly()
    {
        var tensors = TinyCheckpoint.Tensors(_folder, TinyCheckpoint.Llama);
        TinyCheckpoint.WriteWeights(_folder, "model-1.safetensors", tensors);
        var index = JsonSerializer.SerializeToUtf8Bytes(new { weight_map = tensors.Keys.ToDictionary(name => name, _ => "model-1.safetensors") });
        HostileFiles.Sample(index, Open("model.safetensors.index.json"));
    }

    private Action<byte[]> Open(string name) => bytes =>
    {
        _folder.Write(name, bytes);
        using var checkpoint = Checkpoint.Open(_folder.Path);
        checkpoint.LoadEmbedding();
        checkpoint.LoadLayer(0);
        checkpoint.LoadHead();
    };
}
