using System.Text;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// Follows the rows of a device's journal: each carries a hash over its device, its number, what it says and the link of the row before it,
/// and no number is left out. So a row that was changed, removed, or put in another's place shows itself when the journal is read.
/// Immutable. What no link can show: whoever computes all links anew, and whoever removes the latest rows together with the snapshots made since.
/// </summary>
/// <param name="Device">The device.</param>
/// <param name="Sequence">The number of the last row.</param>
/// <param name="Link">Its link; all zero while no row had one.</param>
/// <param name="Problem">What is wrong with the journal, for people; null while nothing is.</param>
internal sealed record JournalChain(DeviceId Device, long Sequence, Digest Link, string? Problem)
{
    /// <summary>No row yet.</summary>
    public static JournalChain Empty(DeviceId device) => new(device, 0, default, null);

    /// <summary>After a row from before there were links.</summary>
    /// <param name="sequence">Its number.</param>
    public JournalChain After(long sequence)
        => Problem is not null ? this
            : sequence != Sequence + 1 ? Broken(Gap(sequence))
            : Link != default ? Broken($"entry {sequence} has no link, and those before it have")
            : this with { Sequence = sequence };

    /// <summary>After a row with a link.</summary>
    /// <param name="sequence">Its number.</param>
    /// <param name="entry">What stands in it.</param>
    public JournalChain After(long sequence, LinkedEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return Problem is not null ? this
            : sequence != Sequence + 1 ? Broken(Gap(sequence))
            : entry.Link != LinkOf(sequence, entry.Previous, entry.Body) ? Broken($"entry {sequence} was changed, or belongs elsewhere")
            : entry.Previous != Link ? Broken($"entry {sequence} does not follow what stands before it")
            : this with { Sequence = sequence, Link = entry.Link };
    }

    /// <summary>From a snapshot on that was made before there were links.</summary>
    /// <param name="sequence">The number of the last row that it holds.</param>
    public JournalChain From(long sequence) => this with { Sequence = sequence, Link = default };

    /// <summary>From a snapshot on.</summary>
    /// <param name="sequence">The number of the last row that it holds.</param>
    /// <param name="snapshot">What stands in it.</param>
    public JournalChain From(long sequence, LinkedEntry snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return snapshot.Link == LinkOf(sequence, snapshot.Previous, snapshot.Body)
            ? this with { Sequence = sequence, Link = snapshot.Previous }
            : Broken($"the snapshot of entries 1 to {sequence} was changed, or belongs elsewhere");
    }

    /// <summary>When all rows were read: whether the journal knows of later ones.</summary>
    /// <param name="highest">The highest number that it gave.</param>
    public JournalChain UpTo(long highest)
        => Problem is null && highest != Sequence ? Broken(highest > Sequence ? Gap(highest + 1) : $"entries {highest + 1} to {Sequence} are missing") : this;

    /// <summary>The row for an entry that comes next, and the chain after it.</summary>
    public (LinkedEntry Row, JournalChain Chain) Append(ILedgerStored entry)
    {
        var (sequence, body) = (Sequence + 1, LedgerStoreCodecs.BodyOf(entry));
        var row = new LinkedEntry(entry, body, Link, LinkOf(sequence, Link, body));
        return (row, this with { Sequence = sequence, Link = row.Link });
    }

    /// <summary>A snapshot of the state after the last row.</summary>
    public LinkedEntry Seal(ReputationState state)
    {
        var body = LedgerStoreCodecs.BodyOf(state);
        return new LinkedEntry(state, body, Link, LinkOf(Sequence, Link, body));
    }

    private Digest LinkOf(long sequence, Digest previous, Digest body)
        => PurposeHash.Of("efedllm ledger row 1"u8, Digest.Of(Encoding.UTF8.GetBytes(Device.Value)), new Digest(0, 0, 0, (ulong)sequence), previous, body);

    private string Gap(long next)
        => next <= Sequence ? $"entry {next} stands there twice" : next == Sequence + 2 ? $"entry {Sequence + 1} is missing" : $"entries {Sequence + 1} to {next - 1} are missing";

    private JournalChain Broken(string problem) => this with { Problem = problem };
}
