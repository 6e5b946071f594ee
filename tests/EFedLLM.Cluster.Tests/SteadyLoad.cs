using EFedLLM.Node.Api;
using EFedLLM.Node.Client;

namespace EFedLLM.Cluster.Tests;

/// <summary>Clients that ask one question after another over HTTP until they are told to stop, and hold each answer against the undisturbed one.</summary>
internal sealed class SteadyLoad : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly RunningCluster _cluster;
    private readonly Task<int>[] _clients;

    private SteadyLoad(RunningCluster cluster, IReadOnlyList<PromptAnswer> expected)
    {
        _cluster = cluster;
        _clients = [.. expected.Select((answer, client) => Task.Run(() => AskOnAsync(client, answer)))];
    }

    /// <summary>Asks each question once while nothing disturbs, then all at once, over and over.</summary>
    public static async Task<SteadyLoad> StartAsync(RunningCluster cluster, int clients)
    {
        var expected = new List<PromptAnswer>();
        for (var client = 0; client < clients; client++)
        {
            expected.Add(await AskAsync(cluster, client));
        }

        return new SteadyLoad(cluster, expected);
    }

    /// <summary>Stops, and returns how many questions were answered.</summary>
    /// <exception cref="Exception">One was not, or not as before.</exception>
    public async Task<int> StopAsync()
    {
        await _stop.CancelAsync();
        return (await Task.WhenAll(_clients).WaitAsync(EfedllmProcess.Patience)).Sum();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _stop.Dispose();
    }

    private async Task<int> AskOnAsync(int client, PromptAnswer expected)
    {
        var answered = 0;
        while (!_stop.IsCancellationRequested)
        {
            var answer = await AskAsync(_cluster, client);
            Assert.Equal(expected.TokenIds, answer.TokenIds);
            Assert.Equal(expected.Text, answer.Text);
            answered++;
        }

        return answered;
    }

    private static Task<PromptAnswer> AskAsync(RunningCluster cluster, int client) => AnswerCollector.CollectAsync(
        cluster.Client,
        new GenerateRequest { Messages = [new ChatLine("user", $"Tell me story number {client}.")], MaxTokens = 40 + (40 * client), IgnoreEos = true, Temperature = 0.8f, Seed = (ulong)client },
        null,
        CancellationToken.None);
}
