using Akka.Cluster.Sharding;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>Which entity of the ledger a message is for.</summary>
internal sealed class LedgerExtractor() : HashCodeMessageExtractor(Shards)
{
    /// <summary>Number of shards, the same on every node for ever: about ten for each ledger node there may be.</summary>
    public const int Shards = 30;

    /// <inheritdoc/>
    public override string? EntityId(object message) => message switch
    {
        RecordWork report => report.Device.Value,
        StrikeVerdict command => command.Device.Value,
        GetDeviceRecord query => query.Device.Value,
        ListLedgerDevices => LedgerDirectory.EntityId,
        _ => null,
    };
}
