using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.Http;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Hosting;

/// <summary>Gathers the facts of the native interface from the node's view and the ledger.</summary>
/// <param name="view">The cluster as this node sees it.</param>
/// <param name="manifests">The manifests of the models that this node has.</param>
/// <param name="ledger">The ledger.</param>
/// <param name="cacheShare">The part of a device's memory that is kept for caches, as the placement counts it.</param>
internal sealed class ClusterApi(ViewFeed view, IReadOnlyDictionary<ModelId, ModelManifest> manifests, IActorRef ledger, double cacheShare) : IClusterApi
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    // What the cluster looks like is worth telling without the ledger.
    private static readonly TimeSpan ShortPatience = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public async Task<ClusterFacts> ReadClusterAsync(CancellationToken cancellation)
    {
        var latest = view.Latest;
        var known = latest.Devices.Select(device => device.Device).Where(latest.Standings.ContainsKey);
        var records = await Task.WhenAll(known.Select(device => TryRecordAsync(device, cancellation)));
        return ClusterFactsBuilder.Build(latest, manifests, records.OfType<DeviceRecord>().ToDictionary(record => record.Device));
    }

    /// <inheritdoc/>
    public Task<PlanFacts> ReadPlanAsync(PlanQuestion question, CancellationToken cancellation)
    {
        var latest = view.Latest;
        return Task.Run(() => PlanFactsBuilder.Build(latest, cacheShare, question), cancellation);
    }

    /// <inheritdoc/>
    public async Task<LedgerFacts> ReadLedgerAsync(CancellationToken cancellation)
    {
        var devices = await DevicesAsync(cancellation);
        var answers = await Task.WhenAll(devices.Select(device => RecordOrProblemAsync(device, cancellation)));
        return new LedgerFacts(
            [.. answers.Select(answer => answer.Record).OfType<DeviceRecord>().Select(record => LedgerFactsBuilder.Build(record) with { Recent = [] })],
            [.. answers.Select(answer => answer.Problem).OfType<string>()]);
    }

    /// <inheritdoc/>
    public async Task<LedgerDevice?> ReadLedgerAsync(string device, CancellationToken cancellation)
    {
        var matching = (await DevicesAsync(cancellation)).Where(known => known.Value.StartsWith(device, StringComparison.Ordinal)).Take(2).ToList();
        return matching is [var only] ? LedgerFactsBuilder.Build(await RecordAsync(only, cancellation)) : null;
    }

    /// <inheritdoc/>
    public async Task<LeaveFacts?> LeaveAsync(string device, CancellationToken cancellation)
    {
        if (view.Latest.Devices.FirstOrDefault(known => known.Device.Value == device) is not { } leaving)
        {
            return null;
        }

        var answer = await AskAsync<LeaveAnswer>(leaving.Host, new LeaveCluster(leaving.Device), Patience, cancellation);
        return answer.Refusal is null
            ? new LeaveFacts(device, answer.Seconds)
            : throw new InvalidOperationException($"Device {leaving.Name} does not leave: {answer.Refusal}");
    }

    private async Task<IReadOnlyList<DeviceId>> DevicesAsync(CancellationToken cancellation) =>
        (await ledger.AskLedgerAsync<LedgerDevices>(new ListLedgerDevices(), Patience, cancellation)).Devices;

    private Task<DeviceRecord> RecordAsync(DeviceId device, CancellationToken cancellation)
        => ledger.AskLedgerAsync<DeviceRecord>(new GetDeviceRecord(device), Patience, cancellation);

    private async Task<(DeviceRecord? Record, string? Problem)> RecordOrProblemAsync(DeviceId device, CancellationToken cancellation)
    {
        try
        {
            return (await RecordAsync(device, cancellation), null);
        }
        catch (ApiException refused) when (refused.Code == LedgerQuestions.Refused)
        {
            return (null, refused.Message);
        }
    }

    private async Task<DeviceRecord?> TryRecordAsync(DeviceId device, CancellationToken cancellation)
    {
        try
        {
            return await ledger.AskLedgerAsync<DeviceRecord>(new GetDeviceRecord(device), ShortPatience, cancellation);
        }
        catch (Exception error) when (error is TimeoutException or ApiException { Code: LedgerQuestions.Refused })
        {
            return null;
        }
    }

    private static async Task<T> AskAsync<T>(IActorRef actor, object question, TimeSpan patience, CancellationToken cancellation)
    {
        try
        {
            return await actor.Ask<T>(question, patience, cancellation);
        }
        catch (AskTimeoutException error)
        {
            throw new TimeoutException(error.Message, error);
        }
    }
}
