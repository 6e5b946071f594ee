namespace EFedLLM.Actors.Reputation;

/// <summary>A ledger node as the members see it.</summary>
/// <param name="Address">Its address, for people and to tell nodes apart.</param>
/// <param name="Host">The machine in it.</param>
/// <param name="Ledger">The ledger it keeps, or null where it does not say.</param>
/// <param name="Seniority">How many ledger nodes were members before it.</param>
/// <param name="IsUp">Whether the cluster has given it its place among the members, which never changes again.</param>
/// <param name="Reachable">Whether it answers.</param>
internal sealed record LedgerNode(string Address, string Host, LedgerIdentity? Ledger, int Seniority, bool IsUp, bool Reachable)
{
    /// <summary>Whether it was a member before <paramref name="other"/>: the same on every node as soon as one of the two is up.</summary>
    public bool IsOlderThan(LedgerNode other)
        => Seniority != other.Seniority ? Seniority < other.Seniority : string.CompareOrdinal(Address, other.Address) < 0;
}
