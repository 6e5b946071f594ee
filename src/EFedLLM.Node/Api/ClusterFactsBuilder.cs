using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Api;

/// <summary>Puts a node's view of the cluster into the form of the native interface.</summary>
internal static class ClusterFactsBuilder
{
    /// <summary>The facts.</summary>
    /// <param name="view">What the node sees.</param>
    /// <param name="manifests">The manifests that the node has; of other models, bits and ranks stay unknown.</param>
    /// <param name="records">What the ledger knows of devices that were checked.</param>
    public static ClusterFacts Build(
        ClusterView view, IReadOnlyDictionary<ModelId, ModelManifest> manifests, IReadOnlyDictionary<DeviceId, DeviceRecord> records) => new(
        view.Self.ToString(),
        view.Leader?.ToString(),
        [.. view.Members.Select(member => new MemberFacts(
            member.Address.ToString(), member.Roles, member.Status.ToString().ToLowerInvariant(), member.Reachable, member.Version))],
        [.. view.Devices
            .OrderBy(device => device.Name, StringComparer.Ordinal).ThenBy(device => device.Device.Value, StringComparer.Ordinal)
            .Select(device => Device(device, view, manifests, records.GetValueOrDefault(device.Device)))],
        [.. view.Models.Select(model => Model(model, view))]);

    /// <summary>Why a model cannot be asked now, for people; null where it can.</summary>
    public static string? Problem(ServedModel model, ClusterView view) => RoutePlanner.Plan(view, model).Problem;

    private static DeviceFacts Device(DeviceAnnouncement device, ClusterView view, IReadOnlyDictionary<ModelId, ModelManifest> manifests, DeviceRecord? record) => new(
        device.Device.Value, device.Name, device.Node.ToString(), device.MemoryBytes, device.BytesPerSecond, device.Leaving,
        [.. device.Loaded.OrderBy(loaded => loaded.Range.First).Select(loaded => Shard(loaded, view, manifests))],
        device.Blobs is { Fetching.IsEmpty: false } blobs ? [.. blobs.Fetching.Select(fetching => Fetch(fetching, view))] : null,
        view.Standings.TryGetValue(device.Device, out var standing) ? LedgerFactsBuilder.Standing(standing.Server) : null,
        record?.Server.Passed,
        standing?.Exclusion?.Until,
        LedgerFactsBuilder.As(standing?.Exclusion),
        device.Owner);

    private static FetchFacts Fetch(FetchingRange fetching, ClusterView view)
    {
        var served = view.Models.FirstOrDefault(model => model.Model == fetching.Model);
        return new FetchFacts(
            served?.Name ?? fetching.Model.Value, fetching.Range.First, fetching.Range.End, Units(fetching.Range, served), fetching.DoneBytes, fetching.TotalBytes);
    }

    private static string Units(LayerRange range, ServedModel? served)
        => served is not null && range.IsValid(served.Layers) ? range.Describe(served.Layers) : range.ToString();

    private static ShardFacts Shard(LoadedRange loaded, ClusterView view, IReadOnlyDictionary<ModelId, ModelManifest> manifests)
    {
        var served = view.Models.FirstOrDefault(model => model.Model == loaded.Model);
        var units = Units(loaded.Range, served);
        // A range is a device's claim: a manifest is asked only where the claim is possible.
        if (!manifests.TryGetValue(loaded.Model, out var manifest) || !loaded.Range.IsValid(manifest.Shape.Layers))
        {
            return new ShardFacts(served?.Name ?? loaded.Model.Value, loaded.Range.First, loaded.Range.End, units, loaded.WeightBytes, null, 0, 0, loaded.StreamedBytes);
        }

        var (lowest, highest) = ManifestFacts.Ranks(manifest, loaded.Range);
        return new ShardFacts(
            served?.Name ?? manifest.Name, loaded.Range.First, loaded.Range.End, units, loaded.WeightBytes, ManifestFacts.Bits(manifest, loaded.Range), lowest, highest, loaded.StreamedBytes);
    }

    private static ModelFacts Model(ServedModel model, ClusterView view)
    {
        var plan = view.Plans.FirstOrDefault(plan => plan.Model == model.Model);
        var problem = Problem(model, view);
        return new ModelFacts(
            model.Model.Value, model.Name, model.Layers, model.HiddenSize, model.ContextLength, model.UnitBytes.Sum(), model.BitsPerWeight,
            problem is null, problem, plan?.Version ?? 0,
            plan is null ? [] : [.. plan.Assignments.OrderBy(assignment => assignment.Range.First).Select(assignment => new AssignmentFacts(
                assignment.Device.Value, assignment.Range.First, assignment.Range.End,
                assignment.Range.IsValid(model.Layers) ? assignment.Range.Describe(model.Layers) : assignment.Range.ToString(), assignment.Reason))]);
    }
}
