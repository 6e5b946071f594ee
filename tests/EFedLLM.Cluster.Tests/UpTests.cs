using System.Text.Json;
using EFedLLM.Node.Supervision;

namespace EFedLLM.Cluster.Tests;

public class UpTests
{
    private const string Question = "What is the capital of France?";
    private const string Answer = "The capital of France is Paris.";

    [Fact]
    public async Task One_command_starts_a_cluster_prints_the_answer_the_route_and_the_timing_and_leaves_nothing_behind()
    {
        var data = TestHome.NewFolder("up");
        var (http, seed) = (FreePort.Find(), FreePort.Find());
        var (code, output, error) = await EfedllmProcess.RunAsync("up", "--prompt", Question, "--data", data, "--http-port", $"{http}", "--port", $"{seed}");
        Assert.True(code == 0, error);
        Assert.Equal(Answer, output.Trim());
        Assert.Contains("route: ", error, StringComparison.Ordinal);
        Assert.Contains("embedding", error, StringComparison.Ordinal);
        Assert.Contains("timing: ", error, StringComparison.Ordinal);
        Assert.Empty(EfedllmProcess.Running(data));
        Assert.True(FreePort.IsFree(http) && FreePort.IsFree(seed));
    }

    [Fact]
    public async Task Ctrl_c_ends_every_process_and_frees_every_port()
    {
        await using var cluster = await RunningCluster.StartAsync(2);
        Assert.NotEmpty(EfedllmProcess.Running(cluster.Data));
        cluster.Process.Interrupt();
        var (code, _, _) = await cluster.Process.EndAsync();
        Assert.Equal(130, code);
        Assert.Empty(EfedllmProcess.Running(cluster.Data));
        Assert.True(FreePort.IsFree(cluster.Gateway.Port));
    }

    [Fact]
    public async Task The_cluster_ends_when_its_parent_is_killed()
    {
        var cluster = await RunningCluster.StartAsync(1);
        EfedllmProcess.Kill(cluster.Process.Pid);
        await cluster.Process.EndAsync();
        using var patience = new CancellationTokenSource(EfedllmProcess.Patience);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (EfedllmProcess.Running(cluster.Data).Count > 0)
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }

        await cluster.Client.DisposeAsync();
        await cluster.Process.DisposeAsync();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task The_answer_of_a_cluster_has_the_bits_of_the_answer_of_one_process(int devices)
    {
        string[] question = ["prompt", "Tell me a story about a fox and a boat.", "--json", "--top-logprobs", "3", "--max-tokens", "60", "--temperature", "0.8", "--seed", "7"];
        var (localCode, local, localError) = await EfedllmProcess.RunAsync([.. question, "--local", "--threads", "2"]);
        Assert.True(localCode == 0, localError);
        await using var cluster = await RunningCluster.StartAsync(devices);
        var (code, output, error) = await EfedllmProcess.RunAsync([.. question, "--gateway", cluster.Gateway.ToString()]);
        Assert.True(code == 0, error);
        var (expected, actual) = (JsonDocument.Parse(local).RootElement, JsonDocument.Parse(output).RootElement);
        foreach (var key in new[] { "text", "promptTokenIds", "tokenIds", "finishReason", "logprobs" })
        {
            Assert.Equal(expected.GetProperty(key).GetRawText(), actual.GetProperty(key).GetRawText());
        }

        Assert.Equal(devices, actual.GetProperty("route").GetArrayLength());
    }

    [Theory]
    [InlineData("up", "--host", "0.0.0.0")]
    [InlineData("join", "--seed", "127.0.0.1:1", "--host", "0.0.0.0")]
    public async Task Listening_on_the_network_without_certificates_is_refused(params string[] arguments)
    {
        var (code, _, error) = await EfedllmProcess.RunAsync(arguments);
        Assert.Equal(2, code);
        Assert.Contains("efedllm cert", error, StringComparison.Ordinal);
    }
}
