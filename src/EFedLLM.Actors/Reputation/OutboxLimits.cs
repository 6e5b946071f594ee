using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>How much may wait for a ledger.</summary>
/// <param name="Reports">Most reports; a single device may have half of them.</param>
/// <param name="Bytes">Most bytes of them on disk.</param>
public sealed record OutboxLimits(int Reports, long Bytes)
{
    /// <summary>How many hard failures have room beside all that: this node goes by them itself until the ledger has them.</summary>
    public const int Convictions = 1024;

    /// <summary>How many of them a single device may have: enough to exclude it by any settings.</summary>
    public const int DeviceConvictions = 2 * ProtocolLimits.HardTimes;

    /// <summary>Most reports with them.</summary>
    public int MostReports => Reports + Convictions;
}
