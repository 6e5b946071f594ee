using System.Text.Json;
using EFedLLM.Compression;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Cluster.Tests;

public sealed class EvalTests : IDisposable
{
    private readonly string _scratch = Directory.CreateTempSubdirectory("efedllm-test-").FullName;

    private static string Bundled => Path.Combine(AppContext.BaseDirectory, "models", "efed-mini");

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    [Fact]
    public async Task A_model_has_the_same_scores_on_devices_as_in_one_process_and_a_speed_of_their_own()
    {
        var folder = Path.Combine(_scratch, "int8");
        using (var checkpoint = Checkpoint.Open(Bundled))
        {
            Compressor.Run(checkpoint, folder, new CompressionSettings());
        }

        var (code, output, error) = await EfedllmProcess.RunAsync(
            "eval", folder, "--reference", Bundled, "--text", Path.Combine(Bundled, "eval.txt"), "--tokens", "600", "--devices", "2", "--json");

        Assert.True(code == 0, error);
        using var json = JsonDocument.Parse(output);
        var rows = json.RootElement.EnumerateArray().ToArray();
        Assert.Equal(["this process", "2 devices"], rows.Select(row => row.GetProperty("where").GetString()));
        foreach (var name in new[] { "model", "reference", "tokens", "meanKl", "p99Kl", "top1Agreement", "bitsPerWeight", "bytesPerToken" })
        {
            Assert.Equal(rows[0].GetProperty(name).GetRawText(), rows[1].GetProperty(name).GetRawText());
        }

        // The devices scored the text themselves; each probability came as a float32 number.
        foreach (var name in new[] { "meanNll", "perplexity", "perplexityChange" })
        {
            Assert.Equal(rows[0].GetProperty(name).GetDouble(), rows[1].GetProperty(name).GetDouble(), 1e-6);
        }

        Assert.All(rows, row => Assert.True(row.GetProperty("tokensPerSecond").GetDouble() > 0));
    }
}
