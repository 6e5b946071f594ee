namespace EFedLLM.Actors.Reputation;

/// <summary>Which ledger nodes may be in one cluster: those that keep the same shared ledger, or a single one with a file of its own.</summary>
internal static class LedgerRules
{
    /// <summary>What <paramref name="self"/> does beside <paramref name="others"/>. Of two that cannot be together the one that joined later leaves; until that is certain both wait.</summary>
    public static LedgerVerdict Judge(LedgerNode self, IReadOnlyCollection<LedgerNode> others)
    {
        var conflicts = others.Where(other => !MayRunTogether(self, other)).ToList();
        var older = conflicts.Where(other => !self.IsOlderThan(other) || !IsSettled(self, other)).ToList();
        return older.Find(other => other.Reachable && IsSettled(self, other)) is { } first ? new LedgerVerdict(LedgerStep.Leave, Problem(self, first))
            : older is [var unsettled, ..] ? new LedgerVerdict(LedgerStep.Wait, Problem(self, unsettled))
            : conflicts is [var younger, ..] ? new LedgerVerdict(LedgerStep.Run, $"It has to leave the cluster again: {Problem(younger, self)}")
            : new LedgerVerdict(LedgerStep.Run, null);
    }

    /// <summary>While neither is up each might take itself for the older one, or both the other.</summary>
    private static bool IsSettled(LedgerNode self, LedgerNode other) => self.IsUp || other.IsUp;

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
