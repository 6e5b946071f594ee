using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using Xunit.Abstractions;

namespace EFedLLM.Cluster.Tests;

/// <summary>An answer of a cluster of real processes is checked after the cluster is gone.</summary>
public sealed class VerifyTests(ITestOutputHelper output)
{
    [Fact]
    public async Task An_answer_is_verified_when_its_cluster_is_gone_and_not_when_a_byte_of_it_was_changed()
    {
        var file = Path.Combine(TestHome.NewFolder("answer"), "answer.json");
        await using (var cluster = await RunningCluster.StartAsync(2, more: ["--trust", "on"]))
        {
            await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 2));
            var (code, said, error) = await RunAsync(null, "prompt", "What is the capital of France?", "--json", "--verified", "--temperature", "0.5", "--seed", "3", "--gateway", cluster.Report.Gateway);
            Assert.True(code == ExitCodes.Ok, error);
            await File.WriteAllTextAsync(file, said);

            using var http = new HttpClient { BaseAddress = cluster.Gateway };
            using var body = new StringContent("{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":8}", Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
            using var response = await http.PostAsync(new Uri("v1/chat/completions", UriKind.Relative), body);
            Assert.Equal(64, response.Headers.GetValues("x-efedllm-receipts").Single().Length);
        }

        var answer = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(file), ApiJson.Default.PromptAnswer)!;
        Assert.Equal(answer.Route.Select(hop => hop.Device), answer.Signed!.Hops.Select(hop => hop.Device));
        Assert.All(answer.Signed.Hops, hop => Assert.Equal((answer.PromptTokenIds.Count + answer.TokenIds.Count - 1, 1), (hop.CheckedTo, hop.CheckedBy.Count)));
        Assert.Equal(ExitCodes.Failed, (await RunAsync(null, "verify", file, "--cluster", new string('a', 64))).Code);
        var verified = await RunAsync(null, "verify", file, "--cluster", answer.Signed.Cluster);
        Assert.Equal(ExitCodes.Ok, verified.Code);
        Assert.Contains("The answer holds", verified.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.CannotTell, (await RunAsync(TestHome.Empty(), "verify", file)).Code);
        Assert.Equal(ExitCodes.CannotTell, (await RunAsync(null, "verify", file + ".none")).Code);

        // As somebody would who can do everything but sign.
        var first = answer.Signed.Hops[0];
        foreach (var forged in new[]
        {
            answer with { Text = answer.Text + "!" },
            answer with { TokenIds = [.. answer.TokenIds.Skip(1).Prepend(5)], Logprobs = [.. answer.Logprobs.Skip(1).Prepend(answer.Logprobs[0] with { Id = 5 })] },
            answer with { Signed = answer.Signed with { Sampling = answer.Signed.Sampling with { Seed = 4 } } },
            answer with { Signed = answer.Signed with { Hops = [first with { Units = [first.Units[0] with { OutRoot = first.Units[0].InRoot }, .. first.Units.Skip(1)] }, .. answer.Signed.Hops.Skip(1)] } },
        })
        {
            await File.WriteAllBytesAsync(file, JsonSerializer.SerializeToUtf8Bytes(EFedLLM.Node.Client.AnswerFile.Seal(forged), ApiJson.Default.PromptAnswer));
            var (code, said, _) = await RunAsync(null, "verify", file, "--json");
            Assert.Equal(ExitCodes.Failed, code);
            Assert.Contains("\"doesNotHold\"", said, StringComparison.Ordinal);
        }
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        await using var process = EfedllmProcess.Start(environment, arguments);
        var ended = await process.EndAsync();
        output.WriteLine($"efedllm {string.Join(' ', arguments)}\n{ended.Output}{ended.Error}");
        return ended;
    }
}
