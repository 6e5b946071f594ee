using EFedLLM.Node.Api;

namespace EFedLLM.Cluster.Tests;

/// <summary>What the ledger must say of answers that were asked for: who is on a route depends on the plan of the moment, and counts once.</summary>
internal sealed class Tally(RunningCluster cluster)
{
    private readonly Dictionary<string, long> _sessions = [];

    /// <summary>Asks what everybody asks, and counts who answers.</summary>
    public async Task<PromptAnswer> AskAsync()
    {
        var answer = await cluster.AskAsync();
        foreach (var hop in answer.Route)
        {
            _sessions[hop.Device] = _sessions.GetValueOrDefault(hop.Device) + 1;
        }

        return answer;
    }

    /// <summary>Waits until the ledger says exactly that.</summary>
    public Task SettledAsync() => cluster.UntilLedgerAsync(ledger =>
        ledger.Devices.Count == _sessions.Count && ledger.Devices.All(device => device.Sessions == _sessions.GetValueOrDefault(device.Device))
        && ledger.Devices.All(device => device is { TimeOuts: 0, Failures: 0 }));
}
