namespace EFedLLM.Actors.Reputation;

/// <summary>Which ledger nodes may be in one cluster: those that keep the same shared ledger, or a single one with a file of its own.</summary>
internal static class LedgerRules
{
    /// <summary>What <paramref name="self"/> does beside <paramref name="others"/>. Of two that cannot be together the one that joined later leaves.</summary>
    public static LedgerVerdict Judge(LedgerNode self, IReadOnlyCollection<LedgerNode> others)
    {
        var conflicts = others.Where(other => !MayRunTogether(self, other)).ToList();
        var older = conflicts.Where(other => !self.IsOlderThan(other)).OrderByDescending(other => other.Reachable).FirstOrDefault();
        return older is not null ? new LedgerVerdict(older.Reachable ? LedgerStep.Leave : LedgerStep.Wait, Problem(self, older))
            : conflicts.FirstOrDefault() is { } younger ? new LedgerVerdict(LedgerStep.Run, $"It has to leave the cluster again: {Problem(younger, self)}")
            : new LedgerVerdict(LedgerStep.Run, null);
    }

    /// <summary>
    /// The same database is the same ledger. The same file can have one user at a time on a machine, so another node there that seems to
    /// keep it is what was here before; on another machine it is a copy.
    /// </summary>
    private static bool MayRunTogether(LedgerNode self, LedgerNode other)
        => self.Ledger is { } ledger && ledger == other.Ledger && (ledger.IsShared || self.Host == other.Host);

    private static string Problem(LedgerNode node, LedgerNode other) => (node.Ledger, other.Ledger) switch
    {
        ({ IsShared: true }, { IsShared: true }) =>
            $"{node.Address} keeps the ledger in another PostgreSQL database than {other.Address}, so its entries would be split between them. Name the same database on every ledger node (--ledger-db).",
        ({ IsShared: true }, _) =>
            $"{node.Address} keeps the ledger in PostgreSQL, but {other.Address} keeps it in a file of its own (SQLite), so its entries would be split between them. End that node, or start it with the same --ledger-db, before this one.",
        _ =>
            $"{node.Address} keeps the ledger in a file of its own (SQLite), but {other.Address} is a ledger node too, so its entries would be split between them. Start every ledger node with the same PostgreSQL database (--ledger-db), or this one without the role ledger.",
    };
}
